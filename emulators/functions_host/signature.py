"""A Python function against its bindings, by the worker's rules: what it accepts here it accepts there.

Every refusal is worded as the worker words it (read in azure_functions_worker/functions.py and observed with the
real worker); it fails the indexing of the whole app. Pure: takes a function and bindings, returns a `Signature`.
"""

from __future__ import annotations

import collections.abc
import inspect
import operator
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.functions_host.converters import converter, has_implicit_output, sdk_converter
from emulators.functions_host.web import imported_base

IN, OUT, INOUT = 0, 1, 2
HTTP_TRIGGER, HTTP = "httpTrigger", "http"


class SignatureRefused(RuntimeError):
    """The worker cannot load this function."""

    def __init__(self, function: str, text: str) -> None:
        super().__init__(f"cannot load the {function} function: {text}")


@dataclass(frozen=True, slots=True)
class ParameterType:
    """Which converter serves a parameter or the return value, and what it is annotated with."""

    binding_type: str
    python_type: Any = None
    deferred: bool = False
    """Whether it takes an SDK's client instead of a value."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What is to be handed in and taken out when the function is called."""

    inputs: Mapping[str, ParameterType]
    outputs: Mapping[str, ParameterType]
    returns: ParameterType | None
    takes_context: bool
    is_async: bool


def read_signature(name: str, function: Callable[..., Any], bindings: list[Any]) -> Signature:
    """The signature of `function` with the library's binding objects. Raises SignatureRefused."""
    parameters = dict(inspect.signature(function).parameters)
    annotations = typing.get_type_hints(function)
    explicit_return, implicit_return, bound = _split_bindings(name, bindings)
    takes_context = _take_context(name, parameters, bound, annotations)
    if extra := set(parameters) - set(bound):
        raise SignatureRefused(
            name, f"the following parameters are declared in Python but not in function.json: {extra!r}"
        )
    if missing := set(bound) - set(parameters):
        raise SignatureRefused(
            name, f"the following parameters are declared in function.json but not in Python: {missing!r}"
        )
    inputs: dict[str, ParameterType] = {}
    outputs: dict[str, ParameterType] = {}
    for parameter in parameters:
        binding = bound[parameter]
        side = outputs if binding.direction == OUT else inputs
        side[parameter] = _parameter_type(name, binding, annotations)
    returns = None
    if explicit_return or implicit_return:
        returns = _return_type(name, explicit_return, implicit_return, annotations)
    return Signature(inputs, outputs, returns, takes_context, inspect.iscoroutinefunction(function))


def _split_bindings(name: str, bindings: list[Any]) -> tuple[str | None, str | None, dict[str, Any]]:
    """(type of the `$return` binding, type that allows an implicit return, bindings that are parameters)."""
    explicit = implicit = None
    bound: dict[str, Any] = {}
    for binding in bindings:
        if binding.direction == INOUT:
            raise SignatureRefused(name, '"inout" bindings are not supported')
        if binding.name == "$return":
            if binding.direction != OUT:
                raise SignatureRefused(name, '"$return" binding must have direction set to "out"')
            explicit = binding.type
            continue
        if has_implicit_output(binding.type):
            implicit = binding.type
        bound[binding.name] = binding
    return explicit, implicit, bound


def _take_context(
    name: str, parameters: dict[str, inspect.Parameter], bound: Mapping[str, Any], annotations: Mapping[str, Any]
) -> bool:
    if "context" not in parameters or "context" in bound:
        return False
    del parameters["context"]
    annotation = annotations.get("context")
    if "context" in annotations and not (isinstance(annotation, type) and annotation.__name__ == "Context"):
        raise SignatureRefused(
            name, f'the "context" parameter is expected to be of type azure.functions.Context, got {annotation!r}'
        )
    return True


def _parameter_type(name: str, binding: Any, annotations: Mapping[str, Any]) -> ParameterType:
    if binding.name not in annotations:
        return ParameterType(binding.type)
    annotation = annotations[binding.name]
    is_out_annotation = _is_out(annotation)
    python_type = _inner_type(name, binding.name, annotation) if is_out_annotation else annotation
    if not isinstance(python_type, type) and not _is_generic(python_type):
        raise SignatureRefused(name, f"binding {binding.name} has invalid non-type annotation {annotation!r}")
    if binding.direction == OUT and not is_out_annotation:
        raise SignatureRefused(
            name,
            f'binding {binding.name} is declared to have the "out" direction, but its annotation in Python is not '
            "a subclass of azure.functions.Out",
        )
    if binding.direction != OUT and is_out_annotation:
        raise SignatureRefused(
            name,
            f'binding {binding.name} is declared to have the "in" direction in function.json, but its annotation is '
            "azure.functions.Out in Python",
        )
    if not is_out_annotation and sdk_converter(binding.type, python_type) is not None:
        return ParameterType(binding.type, python_type, deferred=True)
    chosen = binding.type
    if python_type in (str, bytes) and not has_implicit_output(binding.type):
        chosen = "generic"
    if binding.type == HTTP_TRIGGER and (web := imported_base()):
        accepts = web.RequestTrackerMeta.check_type
    elif is_out_annotation:
        accepts = converter(chosen).check_output_type_annotation
    else:
        accepts = converter(chosen).check_input_type_annotation
    if not accepts(python_type):
        raise SignatureRefused(
            name,
            f'{binding.name!r} binding type "{binding.type}" and dataType "{binding.data_type}" in function.json do '
            f'not match the corresponding function parameter\'s Python type annotation "{_type_name(python_type)}"',
        )
    return ParameterType(chosen, python_type)


def _return_type(
    name: str, explicit: str | None, implicit: str | None, annotations: Mapping[str, Any]
) -> ParameterType:
    if explicit is None:
        assert implicit is not None
        return ParameterType(implicit, annotations.get("return"))
    if "return" not in annotations:
        return ParameterType(explicit)
    annotation = annotations["return"]
    if _is_generic(annotation) and _is_out(annotation):
        raise SignatureRefused(name, "return annotation should not be azure.functions.Out")
    if not isinstance(annotation, type):
        raise SignatureRefused(name, f"has invalid non-type return annotation {annotation!r}")
    if explicit == HTTP and (web := imported_base()):
        accepts = web.ResponseTrackerMeta.check_type
    else:
        accepts = converter(explicit).check_output_type_annotation
    if not accepts(annotation):
        raise SignatureRefused(
            name, f'Python return annotation "{annotation.__name__}" does not match binding type "{explicit}"'
        )
    return ParameterType(explicit, annotation)


def _is_generic(annotation: Any) -> bool:
    """What the worker's typing_inspect calls a generic type: `List[X]`, `Out[X]`, but no union, tuple or callable."""
    if isinstance(annotation, type) and issubclass(annotation, typing.Generic):
        return True
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and origin not in (tuple, type, collections.abc.Callable)


def _is_out(annotation: Any) -> bool:
    candidate = typing.get_origin(annotation) if _is_generic(annotation) else annotation
    candidate = annotation if candidate is None else candidate
    return isinstance(candidate, type) and candidate.__name__ == "Out"


def _inner_type(name: str, parameter: str, annotation: Any) -> Any:
    inner = typing.get_args(annotation)
    if len(inner) != 1:
        raise SignatureRefused(name, f"binding {parameter} has invalid Out annotation {annotation!r}")
    first = inner[0]
    if isinstance(first, tuple) and _is_generic(first[0]):
        return operator.getitem(first[0], *first[1:])
    return first


def _type_name(python_type: Any) -> str:
    return getattr(python_type, "__name__", repr(python_type))
