"""The change feed's readers: what changed in a range beyond an LSN, as latest versions or as every version.

Rows come in the order of their LSNs, and a page is never cut inside one.
"""

# ruff: noqa: S608 - statements are put together from this room's own fragments; values are always bound
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from emulators.cosmos.limits import RESPONSE_BYTES_MAX
from emulators.cosmos.store.catalog import Range
from emulators.cosmos.store.documents import BODY, Scope, visibility
from emulators.cosmos.store.schema import fetch

_NO_END = (1 << 63) - 1
Change = tuple[int, bytes]
"""(LSN, JSON of the entry)."""


def latest(connection: apsw.Connection, scope: Scope, *, after: int, since: int, size: int) -> list[Change]:
    """The current versions of up to about `size` documents that changed beyond LSN `after`, at or after `since`."""
    where, bindings = _where(scope, after, since)
    visible, moments = visibility(scope.container, scope.now)
    rows = connection.execute(
        f"SELECT lsn, {BODY} FROM document WHERE {where}{visible} ORDER BY lsn, position", (*bindings, *moments)
    )
    return [(lsn, b'%b,"_lsn":%d}' % (body[:-1], lsn)) for lsn, body in _whole(rows, size)]


def versions(connection: apsw.Connection, scope: Scope, *, after: int, since: int, size: int) -> list[Change]:
    """Every version and delete of up to about `size` writes beyond LSN `after`."""
    where, bindings = _where(scope, after, since)
    rows = connection.execute(
        f"SELECT lsn, ts, pk, body FROM version WHERE {where} ORDER BY lsn, ordinal", tuple(bindings)
    )
    paths = [path[-1] for path in scope.container.partition_key.paths]
    return [(row[0], _entry(paths, *row)) for row in _whole(rows, size)]


def forget_versions(connection: apsw.Connection, scope: Scope, before: int) -> None:
    """Drop the versions of a range that were written before a moment: its retention is over."""
    connection.execute("DELETE FROM version WHERE place=? AND ts<?", (scope.range.place, before))


@dataclass(frozen=True, slots=True)
class Expired:
    """An item whose time to live is over, still in the file."""

    epk: bytes
    pk: str
    id: str


def expired(connection: apsw.Connection, scope: Scope, after: int, until: int | None) -> list[Expired]:
    """The documents of a range that have expired, of those last written in LSNs (after, until]; None is no end."""
    visible, moments = visibility(scope.container, scope.now)
    if not visible:
        return []
    condition = visible.removeprefix(" AND ")
    rows = fetch(
        connection,
        f"SELECT epk, pk, id FROM document WHERE place=? AND lsn>? AND lsn<=? AND NOT coalesce({condition}, 0)",
        (scope.range.place, after, _NO_END if until is None else until, *moments),
    )
    return [Expired(*row) for row in rows]


def window_end(connection: apsw.Connection, range_: Range, after: int, size: int) -> int | None:
    """The LSN of the `size`-th document written after LSN `after`; None when there are no more than that."""
    sql = "SELECT lsn FROM document WHERE place=? AND lsn>? ORDER BY lsn LIMIT 1 OFFSET ?"
    return next((lsn for (lsn,) in fetch(connection, sql, (range_.place, after, size - 1))), None)


def _where(scope: Scope, after: int, since: int) -> tuple[str, list[Any]]:
    sql = "place=? AND lsn>?"
    bindings: list[Any] = [scope.range.place, after]
    if since:
        sql, bindings = f"{sql} AND ts>=?", [*bindings, since]
    if scope.low > scope.range.low or scope.high < scope.range.high:
        sql, bindings = f"{sql} AND +epk>=? AND +epk<?", [*bindings, scope.low, scope.high]
    if scope.pk is not None:
        sql, bindings = f"{sql} AND pk=?", [*bindings, scope.pk]
    return sql, bindings


def _whole(rows: Iterator[tuple[Any, ...]], size: int) -> list[tuple[Any, ...]]:
    """Rows up to the end of the LSN in which `size` of them, or more bytes than a response takes, are reached.

    Read one by one, so that no more than a page and one transaction are ever in memory.
    """
    taken: list[tuple[Any, ...]] = []
    size_bytes = 0
    for row in rows:
        full = len(taken) >= size or size_bytes > RESPONSE_BYTES_MAX
        if full and row[0] != taken[-1][0]:
            break
        taken.append(row)
        size_bytes += len(row[-1])
    return taken


def _entry(paths: list[str], lsn: int, ts: int, pk: str, body: str) -> bytes:
    version = orjson.loads(body)
    metadata: dict[str, Any] = {"operationType": version["operation"], "lsn": lsn, "crts": ts}
    if version["previousLsn"] is not None:
        metadata["previousImageLSN"] = version["previousLsn"]
    if version["operation"] == "delete":
        metadata["id"] = version["id"]
        metadata["partitionKey"] = dict(zip(paths, orjson.loads(pk), strict=True))
        if version["expired"]:
            metadata["timeToLiveExpired"] = True
    entry = {"current": version["current"] or {}, "metadata": metadata}
    if version["previous"]:
        entry["previous"] = version["previous"]
    return orjson.dumps(entry)
