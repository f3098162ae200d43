"""The azure-functions library's own converters, chosen by binding type as the worker chooses them.

A value meets Python as a `Datum` (library class) and is decoded or encoded by the converter registered for the
binding; a type the library does not know gets the worker's plain one. Knows no trigger and no function.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

from azure.functions import Out as AbstractOut
from azure.functions import get_binding_registry
from azure.functions.meta import Datum

__all__ = ["Datum", "Out", "converter", "decode", "encode", "has_implicit_output", "is_trigger", "sdk_converter"]


class Plain:
    """What the worker does with a binding type that the library has no converter for: text, bytes and JSON as is."""

    @classmethod
    def has_trigger_support(cls) -> bool:
        """Plain bindings get no trigger metadata."""
        return False

    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        """Text or bytes."""
        return issubclass(pytype, str | bytes)

    @classmethod
    def check_output_type_annotation(cls, pytype: type) -> bool:
        """Text or bytes."""
        return issubclass(pytype, str | bytes | bytearray)

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: Any) -> Any:
        """The value as it came."""
        if data.type not in ("string", "bytes", "json", None):
            raise ValueError(f'unexpected type of data received for the "generic" binding : {data.type!r}')
        return data.value if data.type else None

    @classmethod
    def encode(cls, obj: Any, *, expected_type: Any) -> Datum:
        """A datum of the value's own type."""
        match obj:
            case None:
                return Datum(None, None)
            case str():
                return Datum(obj, "string")
            case bytes() | bytearray():
                return Datum(bytes(obj), "bytes")
            case dict() | list():
                return Datum(obj, type(obj).__name__)
            case int():  # bool too: the worker asks for int first
                return Datum(obj, "int")
            case float():
                return Datum(obj, "double")
        raise NotImplementedError


class Out(AbstractOut[Any]):
    """What a function sets its output through."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Take the value that is written after the function has succeeded."""
        self._value = val

    def get(self) -> Any:
        """The value set last, or None."""
        return self._value


def converter(binding_type: str) -> Any:
    """The converter class of a binding type."""
    return get_binding_registry().get(binding_type) or Plain  # type: ignore[no-untyped-call]


def is_trigger(binding_type: str) -> bool:
    """Whether values of this binding type are decoded with trigger metadata."""
    return cast(bool, converter(binding_type).has_trigger_support())


def has_implicit_output(binding_type: str) -> bool:
    """Whether a function with such a binding may return a value without declaring a `$return`."""
    chosen = converter(binding_type)
    if chosen is Plain:
        return binding_type != "durableClient"
    return bool(getattr(chosen, "has_implicit_output", lambda: False)())


def sdk_converter(binding_type: str, python_type: Any) -> Any:
    """The converter of an SDK-type bindings library (a BlobClient instead of a blob), None for any other type.

    Such a library is there when the app has imported it: the worker looks nowhere else either.
    """
    base = sys.modules.get("azurefunctions.extensions.base")
    if base is None or not base.get_binding_registry().check_supported_type(python_type):
        return None
    return base.get_binding_registry().get(binding_type)


def decode(binding_type: str, datum: Datum, metadata: Mapping[str, Datum]) -> Any:
    """The Python value of `datum`. Raises TypeError for a combination that the converter does not take."""
    chosen = converter(binding_type)
    try:
        return chosen.decode(datum, trigger_metadata=metadata if is_trigger(binding_type) else {})
    except NotImplementedError:
        raise TypeError(
            "unable to decode incoming TypedData: unsupported combination of TypedData field "
            f"{datum.type!r} and expected binding type {chosen}"
        ) from None


def encode(binding_type: str, value: Any, python_type: Any) -> Datum:
    """The datum of what a function returned or set. Raises TypeError for a type that the converter does not take."""
    chosen = converter(binding_type)
    try:
        return cast(Datum, chosen.encode(value, expected_type=python_type))
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "{chosen}" for Python type "{type(value).__name__}"'
        ) from None
