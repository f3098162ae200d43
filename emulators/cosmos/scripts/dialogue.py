"""One script's run as a dialogue: what it asks for, what it is answered, what it came to.

Knows the messages of runtime.js and how the service words a script's failures; knows nothing of documents.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from emulators.cosmos import errors, limits
from emulators.cosmos.errors import Refused
from emulators.cosmos.scripts.engine import Engine, ScriptStopped, Session

Perform = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does one operation that a script wants (its message) and tells the outcome: body and options, or an error."""

_FRAME = re.compile(r"\n +at (?:(.+) \()?([^()\n]+):(\d+:\d+)\)?")
_PARSE_FAILURE = re.compile(r"[^\n]*?:(\d+): (SyntaxError: [^\n]*)\n([^\n]*)\n( *)\^", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Script:
    """What is to be run. `request` and `response`: property to (value, whether the script may change it)."""

    name: str
    text: str
    arguments: Sequence[Any] = ()
    request: Mapping[str, tuple[Any, bool]] | None = None
    response: Mapping[str, tuple[Any, bool]] | None = None
    self_link: str = ""
    alt_link: str = ""
    logs: bool = False
    clock_ahead_seconds: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What a script came to: the JSON of its request's and response's bodies as it left them, and what it logged."""

    request: str | None = None
    response: str | None = None
    log: str = ""


class ScriptFailed(Refused):
    """A script that threw, did not parse, or used up its time or memory. `log`: what it had logged."""

    def __init__(self, kind: errors.Kind, text: str, log: str = "") -> None:
        super().__init__(kind, text)
        self.log = log


@dataclass(slots=True)
class Dialogue:
    """Runs scripts in sessions of an engine."""

    engine: Engine

    async def run(self, script: Script, perform: Perform) -> Outcome:
        """Run `script`, doing what it asks for by `perform`, until it wants no more. Raises ScriptFailed."""
        try:
            async with self.engine.session() as session:
                return await self._run(session, script, perform)
        except ScriptStopped as stopped:
            raise refused(stopped) from None

    async def _run(self, session: Session, script: Script, perform: Perform) -> Outcome:
        begin = f"__emulator.begin({literal(self._call(script))})"
        main = f"(function __docDbMain() {{ var fn = {script.text}\n; __emulator.call(fn); }})()"
        told = await session.evaluate(begin, f"{main}\n//# sourceURL={file_name(script.name)}", _COLLECT)
        while True:
            state = _state(told)
            if "failed" in state:
                raise thrown(state["failed"], state["log"])
            if "finished" in state:
                return Outcome(**state["finished"], log=state["log"])
            results = [{"number": each["number"], **await perform(each)} for each in state["wanted"]]
            told = await session.evaluate(f"__emulator.resume({literal(results)})", _COLLECT)

    def _call(self, script: Script) -> dict[str, Any]:
        return {
            "arguments": script.arguments,
            "request": script.request,
            "response": script.response,
            "selfLink": script.self_link,
            "altLink": script.alt_link,
            "hasContext": True,
            "logging": script.logs,
            "logCharactersMax": limits.SCRIPT_LOG_CHARACTERS_MAX,
            "responseCharactersMax": limits.SCRIPT_RESPONSE_CHARACTERS_MAX,
            "acceptingMilliseconds": 1000 * self.engine.seconds * limits.SCRIPT_ACCEPTING_SHARE,
            "clockAheadMilliseconds": 1000 * script.clock_ahead_seconds,
        }


_COLLECT = "__emulator.collect()"
_TEXTS = ("operation", "id", "rid", "body", "ifMatch", "ifNoneMatch")
_OPERATIONS = ("create", "upsert", "replace", "delete", "read", "query")


def _state(told: str | None) -> dict[str, Any]:
    """What the runtime tells. Raises ScriptStopped when a script has broken it, by changing what all objects share."""
    state = orjson.loads(told or "null")
    match state:
        case {"wanted": [*wanted]} if all(_is_wanted(each) for each in wanted):
            return dict(state)
        case {"finished": {"request": str() | None, "response": str() | None}, "log": str()}:
            return dict(state)
        case {"failed": {"thrown": str()}, "log": str()}:
            return dict(state)
        case {"failed": {"name": str(), "message": str(), "stack": str(), "number": int()}, "log": str()}:
            return dict(state)
    raise ScriptStopped("script", "The script has changed built-in objects that its environment needs.")


def _is_wanted(each: object) -> bool:
    if (
        not isinstance(each, dict)
        or not isinstance(each.get("number"), int)
        or each.get("operation") not in _OPERATIONS
    ):
        return False
    named = {"create": "body", "upsert": "body", "query": "query"}.get(each["operation"])
    whole = named in each if named else "id" in each or "rid" in each
    return whole and all(isinstance(each.get(name, ""), str) for name in _TEXTS)


def literal(value: object) -> str:
    """A JavaScript string literal that holds `value` as JSON."""
    return orjson.dumps(orjson.dumps(value).decode()).decode()


def file_name(name: str) -> str:
    """A script's id as stack traces show it."""
    return re.sub(r"[^\w.-]", "_", name) + ".js"


def thrown(failed: Mapping[str, Any], log: str = "") -> ScriptFailed:
    """The refusal for what a script threw: an Error's number becomes the sub-status."""
    if "thrown" in failed:
        return ScriptFailed(errors.SCRIPT_FAILED, errors.wrapped(failed["thrown"]), log)
    error = f"{failed['name']}: {failed['message']}"
    text = f"Encountered exception while executing function. Exception = {error}\r\nStack trace: {_stack(failed)}"
    kind = errors.SCRIPT_FAILED
    if failed["number"]:
        kind = errors.Kind(kind.status, kind.code, kind.text, failed["number"])
    return ScriptFailed(kind, errors.wrapped(text), log)


def _stack(failed: Mapping[str, Any]) -> str:
    """The stack trace as the service writes it, without the frames of our own runtime."""

    def frame(found: re.Match[str]) -> str:
        function, file, place = found.groups()
        return "" if file == "<anonymous>" else f"\n   at {function or 'Global code'} ({file}:{place})"

    return _FRAME.sub(frame, failed["stack"])


def refused(stopped: ScriptStopped) -> ScriptFailed:
    """The refusal for a script that was ended."""
    match stopped.reason:
        case "time":
            return ScriptFailed(errors.SCRIPT_TIMED_OUT, errors.SCRIPT_TIMED_OUT.text)
        case "memory":
            return ScriptFailed(errors.SCRIPT_FAILED, errors.wrapped("The script has used up its memory."))
        case "syntax":
            return ScriptFailed(errors.SCRIPT_FAILED, errors.wrapped(_syntax_text(stopped.text)))
    return ScriptFailed(errors.SCRIPT_FAILED, errors.wrapped(stopped.text.strip()))


def _syntax_text(told: str) -> str:
    found = _PARSE_FAILURE.match(told)
    if found is None:
        return f"Encountered exception while compiling Javascript. Exception = {told.strip()}"
    line, error, source, indent = found.groups()
    return (
        f"Encountered exception while compiling Javascript. Exception = {error}\r\n"
        f"Source information: line: {line}, column: {len(indent) + 1}, source line:\n{source}"
    )
