"""HybridRow: the binary rows in which the .NET SDK sends batches and reads their results, instead of JSON.

Both directions are a RecordIO stream: a segment header, then for each row a record header with its length and CRC.
A row begins with its schema's id, then has a bit for each nullable column, the fixed columns, the variable ones that
are present, and the sparse ones, each with its type and its column's number. The two schemas are public
(HybridRowBatchSchemas.json of the .NET SDK), as is the encoding (microsoft/HybridRow). Knows no operation's rules.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

VERSION = 0x81
"""Every row's first byte, and so a stream's; no JSON text starts with it."""
CONTENT_TYPE = "application/octet-stream"

_SEGMENT, _RECORD, _OPERATION, _RESULT = 2147473648, 2147473649, 2145473648, 2145473649
"""Schema ids."""
_SEGMENT_ROW = struct.Struct("<BiBi")
_RECORD_ROW = struct.Struct("<BiiI")
_OPERATION_ROW = struct.Struct("<BiBii")
_RESULT_ROW = struct.Struct("<BiBii")
_TRUE, _FALSE, _INT32, _UINT32, _FLOAT64, _UTF8 = 3, 2, 7, 11, 16, 20
"""Type codes of sparse columns."""
_OPERATION_TYPES = {0: "Create", 1: "Patch", 2: "Read", 4: "Delete", 5: "Replace", 20: "Upsert"}
"""The .NET SDK's OperationType, as far as batches have it."""
_SPARSE = {
    8: "indexingDirective",
    9: "ifMatch",
    10: "ifNoneMatch",
    11: "timeToLiveInSeconds",
    12: "minimalReturnPreference",
}
"""An operation's sparse columns by number; those of all columns are counted from 1."""
_RETRY_AFTER, _REQUEST_CHARGE = 5, 6
"""A result's sparse columns."""


class RowError(ValueError):
    """What was sent is no batch in rows. The text says where it goes wrong."""


def is_rows(body: bytes) -> bool:
    """Whether a body is rows and not JSON."""
    return body[:1] == bytes((VERSION,))


def read_operations(stream: bytes) -> list[dict[str, Any]]:
    """The operations of a batch in the form that JSON batches have. Raises RowError."""
    reader = _Reader(stream)
    version, schema, bits, length = reader.unpack(_SEGMENT_ROW)
    if (version, schema, bits) != (VERSION, _SEGMENT, 1) or not _SEGMENT_ROW.size <= length <= len(stream):
        raise RowError("it does not begin with a segment header")
    reader.at = length
    operations = []
    while not reader.is_done:
        version, schema, length, checksum = reader.unpack(_RECORD_ROW)
        if (version, schema) != (VERSION, _RECORD):
            raise RowError("a record header is expected")
        row = reader.take(length)
        if zlib.crc32(row) != checksum:
            raise RowError("a record's checksum is wrong")
        operations.append(_operation(_Reader(row)))
    return operations


def write_results(results: Iterable[Mapping[str, Any]]) -> bytes:
    """The answer to a batch, its results given in the form that JSON answers have; `resourceBody` is bytes."""
    stream = bytearray(_SEGMENT_ROW.pack(VERSION, _SEGMENT, 1, _SEGMENT_ROW.size))
    for result in results:
        row = _result(result)
        stream += _RECORD_ROW.pack(VERSION, _RECORD, len(row), zlib.crc32(row))
        stream += row
    return bytes(stream)


class _Reader:
    """Takes values off a row, never beyond its end."""

    def __init__(self, row: bytes) -> None:
        self._row = row
        self.at = 0

    @property
    def is_done(self) -> bool:
        return self.at >= len(self._row)

    def take(self, length: int) -> bytes:
        if not 0 <= length <= len(self._row) - self.at:
            raise RowError("a length points beyond the end")
        self.at += length
        return self._row[self.at - length : self.at]

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def varuint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise RowError("a length has too many bytes")

    def binary(self) -> bytes:
        return self.take(self.varuint())

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise RowError("a text is not UTF-8") from None

    def json(self) -> object:
        try:
            value: object = orjson.loads(self.binary())
        except orjson.JSONDecodeError:
            raise RowError("a resourceBody is not JSON") from None
        return value


_VARIABLE: Mapping[str, Callable[[_Reader], object]] = {
    "partitionKey": _Reader.text,
    "effectivePartitionKey": _Reader.binary,
    "id": _Reader.text,
    "binaryId": _Reader.binary,
    "resourceBody": _Reader.json,
}
"""How an operation's variable columns are read, in their order; their bits follow those of the two fixed ones."""


def _operation(reader: _Reader) -> dict[str, Any]:
    version, schema, bits, kind, _ = reader.unpack(_OPERATION_ROW)
    if (version, schema) != (VERSION, _OPERATION) or bits & 3 != 3:
        raise RowError("a row is no operation")
    operation: dict[str, Any] = {"operationType": _OPERATION_TYPES.get(kind, f"number {kind}")}
    for bit, name in enumerate(_VARIABLE, start=2):
        if bits >> bit & 1:
            operation[name] = _VARIABLE[name](reader)
    while not reader.is_done:
        code, column = reader.take(1)[0], reader.varuint()
        if column not in _SPARSE:
            raise RowError(f"an operation has no column {column}")
        operation[_SPARSE[column]] = _sparse(reader, code)
    return operation


def _sparse(reader: _Reader, code: int) -> object:
    if code == _UTF8:
        return reader.text()
    if code in (_TRUE, _FALSE):
        return code == _TRUE
    if code == _INT32:
        return int.from_bytes(reader.take(4), "little", signed=True)
    raise RowError(f"a sparse column has the unexpected type {code}")


def _result(result: Mapping[str, Any]) -> bytes:
    etag, body = result.get("eTag"), result.get("resourceBody")
    bits = 3 | (etag is not None) << 2 | (body is not None) << 3
    row = bytearray(_RESULT_ROW.pack(VERSION, _RESULT, bits, result["statusCode"], result["subStatusCode"]))
    for value in (None if etag is None else etag.encode(), body):
        if value is not None:
            row += _varuint(len(value)) + value
    if "retryAfterMilliseconds" in result:
        row += struct.pack("<BBI", _UINT32, _RETRY_AFTER, result["retryAfterMilliseconds"])
    row += struct.pack("<BBd", _FLOAT64, _REQUEST_CHARGE, result["requestCharge"])
    return bytes(row)


def _varuint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
