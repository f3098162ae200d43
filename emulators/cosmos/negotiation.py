"""What a request says about itself before any operation is asked: its API version, and how answers shall be written.

Reads headers alone. What this emulator cannot write is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from emulators.cosmos import errors
from emulators.cosmos.errors import Refused

_VERSIONS = (
    "2014-08-21", "2015-04-08", "2015-06-03", "2015-08-06", "2015-12-16", "2016-05-30", "2016-07-11",
    "2016-11-14", "2017-01-19", "2017-02-22", "2017-05-03", "2017-11-15", "2018-06-18", "2018-08-31",
    "2018-09-17", "2018-12-31", "2020-07-15",
)  # fmt: skip
"""API versions that the REST reference lists, and those of the SDKs."""
_NEWEST = max(_VERSIONS)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FORMAT, _EXCLUDE = "x-ms-documentdb-content-serialization-format", "x-ms-exclude-system-properties"
_BINARY_FORMATS = ("cosmosbinary", "hybridrow")
_HIDDEN = ("_self", "_attachments")
"""The system properties that a client can do without."""


def check(headers: Mapping[str, str]) -> None:
    """Raises Refused: 400 for an unknown version, format or switch, 501 where only a binary answer would do."""
    version = headers.get("x-ms-version")
    # Clients may be newer than this list: what is later than all of it is taken at its word.
    if version is not None and version not in _VERSIONS and not (_DATE.fullmatch(version) and version > _NEWEST):
        raise _invalid("x-ms-version", version)
    excludes = headers.get(_EXCLUDE)
    if excludes is not None and excludes.lower() not in ("true", "false"):
        raise _invalid(_EXCLUDE, excludes)
    wanted = headers.get(_FORMAT)
    if wanted is None or wanted.lower() == "jsontext":
        return
    if wanted.lower() not in _BINARY_FORMATS:
        raise _invalid(_FORMAT, wanted)
    raise Refused(errors.NOT_BUILT, f"Answers in the format {wanted} are not implemented: ask for JsonText.")


def shown(headers: Mapping[str, str], body: bytes) -> bytes:
    """An item's body as the client wants it: without links where it excludes them."""
    if headers.get(_EXCLUDE, "").lower() != "true" or not body:
        return body
    return orjson.dumps({name: each for name, each in orjson.loads(body).items() if name not in _HIDDEN})


def _invalid(name: str, value: str) -> Refused:
    return Refused(errors.BAD_HEADER, f"The value '{value[:100]}' specified for the header '{name}' is invalid.")
