"""Reads the Bicep of infra/: which resources a deployment would make, with their properties worked out.

pycep parses; this evaluates as much of the language as our files use, modules included. What only Azure knows (an
endpoint, a generated id) is UNKNOWN; what this does not understand is refused by name. It must not know what the
resources are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.bicep_types import complaint

LITERAL = "§"
"""pycep drops quotes, so that 'location' and location look alike: literals are marked before it reads them."""
DEPTH_MAX = 50
"""How deep expressions and modules may nest. Our choice."""
GROUP_ID = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
"""Stands for wherever a deployment goes."""
UNIQUE = "0123456789abc"
"""Stands for what uniqueString makes: thirteen characters."""

_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?\*/|'''.*?'''|targetScope\s*=\s*'[^']*'"
    r"|'(?:\\.|\$\{(?:[^}']|'(?:\\.|[^'])*')*\}|[^'\\])*'",
    re.DOTALL,
)
_INTERPOLATION = re.compile(r"\$\{([^}]*)\}")
_REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class BicepRefused(ValueError):
    """A file uses something that this reader does not understand. The text says what and where."""


class Unknown:
    """The type of UNKNOWN."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""What only Azure knows."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a deployment makes, or refers to when `existing`."""

    type: str
    name: str
    existing: bool
    module: str
    """The name of the file that holds it, without its suffix."""
    properties: Mapping[str, Any]
    """Everything in its body: location, tags, properties …"""

    @property
    def id(self) -> str:
        """Its ARM id, as far as its own name goes."""
        return f"{GROUP_ID}/providers/{self.type}/{self.name}"


@dataclass(slots=True)
class Deployed:
    """One file with its parameters: its resources, and its outputs for whoever has it as a module."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)


def deploy(file: Path, parameters: Mapping[str, Any]) -> Deployed:
    """What `file` would deploy with these parameters, modules included. Raises BicepRefused, OSError."""
    return _File(file, parameters, depth=0).deployed()


@cache
def parse(file: Path) -> Mapping[str, Any]:
    """pycep's tree of a file, literals marked. Raises BicepRefused."""
    from pycep import BicepParser  # a second to load, and for developers only

    try:
        tree: Mapping[str, Any] = BicepParser().parse(text=_TOKENS.sub(_marked, file.read_text(encoding="utf-8")))
    except Exception as failure:
        raise BicepRefused(f"{file}: pycep cannot read it: {str(failure)[:500]}") from failure
    return tree


def _marked(token: re.Match[str]) -> str:
    text = token[0]
    return f"'{LITERAL}{text[1:]}" if text.startswith("'") and not text.startswith("'''") else text


class _File:
    """Evaluates one file. A symbol is worked out when it is first needed."""

    def __init__(self, file: Path, parameters: Mapping[str, Any], *, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise BicepRefused(f"{file}: modules nest deeper than {DEPTH_MAX}")
        self._file, self._depth = file, depth
        self._tree = parse(file)
        self._given = parameters
        if unknown := set(parameters) - set(self._tree.get("parameters", {})):
            raise self._refused(f"there is no parameter {min(unknown)}")
        self._symbols: dict[str, Any] = {}
        self._modules: dict[str, Deployed | None] = {}

    def deployed(self) -> Deployed:
        """Everything in the file."""
        found = Deployed()
        for name in self._tree.get("parameters", {}):
            self._symbol(name, {})
        for name in self._tree.get("resources", {}):
            found.resources.extend(self._resources(name))
        for name in self._tree.get("modules", {}):
            if (module := self._module(name)) is not None:
                found.resources.extend(module.resources)
        for name, output in self._tree.get("outputs", {}).items():
            found.outputs[name] = self._typed(f"the output {name}", output, self._value(output["value"], {}))
        return found

    def _resources(self, name: str) -> Iterator[Resource]:
        declared = self._tree["resources"][name]
        for body in self._bodies(declared["config"]):
            resource_type = declared["type"].removeprefix(LITERAL)
            own = {member: value for member, value in body.items() if member != "parent"}
            yield Resource(resource_type, str(body.get("name")), declared["existing"], self._file.stem, own)

    def _bodies(self, config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A declaration's body, once for each turn of its loop, or not at all when its condition does not hold."""
        if "loop_type" in config:
            for local in self._turns(config):
                yield self._value(config["config"], local)
        elif set(config) == {"condition", "config"}:
            if self._holds(config["condition"]):
                yield self._value(config["config"], {})
        else:
            yield self._value(config, {})

    def _turns(self, loop: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        detail = loop["loop_type"]["detail"]
        items = self._value(detail["array_name"], {})
        if not isinstance(items, list):
            raise self._refused(f"the loop over {detail['array_name']} has nothing to go over")
        for index, item in enumerate(items):
            yield {detail["item_name"]: item, detail.get("index_name", ""): index}

    def _module(self, name: str) -> Deployed | None:
        """A module's deployment, or None when its condition does not hold."""
        if name not in self._modules:
            declared = self._tree["modules"][name]
            path = self._file.parent / declared["detail"]["path"].removeprefix(LITERAL)
            bodies = list(self._bodies(declared["config"]))
            parameters = bodies[0].get("params", {}) if bodies else {}
            self._modules[name] = _File(path, parameters, depth=self._depth + 1).deployed() if bodies else None
        return self._modules[name]

    def _holds(self, condition: Any) -> bool:
        value = self._value(condition, {})
        if not isinstance(value, bool):
            raise self._refused(f"the condition {condition!r:.100} is neither true nor false")
        return value

    def _value(self, node: Any, local: Mapping[str, Any]) -> Any:
        match node:
            case str():
                return self._text(node[1:], local) if node.startswith(LITERAL) else self._symbol(node, local)
            case list():
                return [self._value(each, local) for each in node]
            case {"operator": {"type": kind, "operands": operands}}:
                return self._operator(kind, operands, local)
            case {"function": {"type": kind, "parameters": parameters}}:
                return self._function(kind, parameters, local)
            case {"loop_type": _}:
                return [self._value(node["config"], {**local, **turn}) for turn in self._turns(node)]
            case dict():
                return {self._key(name, local): self._value(each, local) for name, each in node.items()}
        return node

    def _key(self, name: str, local: Mapping[str, Any]) -> str:
        bare = name.strip("'")
        return str(self._text(bare[1:], local)) if bare.startswith(LITERAL) else bare

    def _text(self, text: str, local: Mapping[str, Any]) -> Any:
        """A literal with its interpolations; UNKNOWN as soon as a part of it is."""
        parts = [self._reference(each, local) for each in _INTERPOLATION.findall(text)]
        if any(isinstance(each, Unknown) for each in parts):
            return UNKNOWN
        rest = iter(parts)
        return _INTERPOLATION.sub(lambda _: str(next(rest)), text)

    def _reference(self, text: str, local: Mapping[str, Any]) -> Any:
        """What stands between `${` and `}`: a name with members; anything else only Azure works out."""
        if not _REFERENCE.fullmatch(text.strip()):
            return UNKNOWN
        first, *members = text.strip().split(".")
        return self._members(first, members, local)

    def _symbol(self, name: str, local: Mapping[str, Any]) -> Any:
        if name in local:
            return local[name]
        if name not in self._symbols:
            self._symbols[name] = self._declared(name)
        return self._symbols[name]

    def _declared(self, name: str) -> Any:
        if name in self._tree.get("parameters", {}):
            declared = self._tree["parameters"][name]
            if name not in self._given and declared["default"] is None:
                raise self._refused(f"the parameter {name} is not given")
            value = self._given[name] if name in self._given else self._value(declared["default"], {})
            return self._typed(f"the parameter {name}", declared, value)
        if name in self._tree.get("variables", {}):
            return self._value(self._tree["variables"][name]["value"], {})
        if name in self._tree.get("resources", {}):
            return next(self._resources(name), UNKNOWN)
        raise self._refused(f"nothing is called {name}")

    def _typed(self, what: str, declared: Mapping[str, Any], value: Any) -> Any:
        """The same value, if it is what is declared; what only Azure knows may be anything."""
        bounds = {each["type"]: self._value(each.get("argument"), {}) for each in declared["decorators"]}
        wrong = None if isinstance(value, Unknown) else complaint(declared["type"], bounds, value)
        if wrong:
            raise self._refused(f"{what} {wrong}")
        return value

    def _members(self, first: Any, members: list[str], local: Mapping[str, Any]) -> Any:
        if isinstance(first, str) and first in self._tree.get("modules", {}):
            module = self._module(first)
            return UNKNOWN if module is None else self._member(module.outputs, members[1], f"the module {first}")
        value = self._value(first, local)
        for member in members:
            if isinstance(value, Resource):
                value = getattr(value, member) if member in ("id", "name") else UNKNOWN
            elif isinstance(value, Mapping):
                value = self._member(value, member, str(first))
            else:
                return UNKNOWN
        return value

    def _member(self, of: Mapping[str, Any], name: str, where: str) -> Any:
        if name not in of:
            raise self._refused(f"{where} has no {name}")
        return of[name]

    def _operator(self, kind: str, operands: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
        if kind == "property_accessor":
            return self._members(operands["operand_1"], _path(operands["operand_2"]), local)
        if kind == "conditional":
            condition = self._value(operands["condition"], local)
            if isinstance(condition, Unknown):
                return UNKNOWN
            return self._value(operands["true_value" if condition else "false_value"], local)
        if any(_is_conditional(each) for each in operands.values()):
            raise self._refused("pycep takes 'a == b ? c : d' for a == (b ? c : d): put the condition in parentheses")
        values = [self._value(each, local) for each in operands.values()]
        if any(isinstance(each, Unknown) for each in values):
            return UNKNOWN
        if kind not in _OPERATORS:
            raise self._refused(f"the operator {kind} is not read")
        return _OPERATORS[kind](*values)

    def _function(self, kind: str, parameters: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
        values = [self._value(each, local) for each in parameters.values() if each is not None]
        if kind == "unique_string":
            return UNIQUE
        if kind not in _FUNCTIONS or any(isinstance(each, Unknown) for each in values):
            return UNKNOWN
        return _FUNCTIONS[kind](*values)

    def _refused(self, what: str) -> BicepRefused:
        return BicepRefused(f"{self._file}: {what}")


_OPERATORS: Mapping[str, Any] = {
    "equals": lambda first, second: first == second,
    "not_equals": lambda first, second: first != second,
    "greater_than": lambda first, second: first > second,
    "less_than": lambda first, second: first < second,
    "and": lambda first, second: first and second,
    "or": lambda first, second: first or second,
    "not": lambda value: not value,
    "add": lambda first, second: first + second,
}
_FUNCTIONS: Mapping[str, Any] = {
    "concat": lambda *values: [each for value in values for each in value],
    "subscription_resource_id": lambda resource_type, *names: "/".join(("/providers", resource_type, *names)),
    "empty": lambda value: not value,
    "split": lambda text, between: text.split(between),
    "to_lower": str.lower,
    "union": lambda *values: {name: each for value in values for name, each in value.items()},
}


def _path(node: Any) -> list[str]:
    """The members of a chain of property accessors, which nest to the right."""
    if isinstance(node, str):
        return [node]
    operands = node["operator"]["operands"]
    return [*_path(operands["operand_1"]), *_path(operands["operand_2"])]


def _is_conditional(node: Any) -> bool:
    return isinstance(node, Mapping) and node.get("operator", {}).get("type") == "conditional"
