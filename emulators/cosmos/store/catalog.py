"""Everything but documents: databases, containers, users, permissions, scripts, offers, and containers' ranges.

Resources are kept in memory as they are read; every change forgets what was kept. Knows no rules about bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import apsw
import orjson

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.cosmos.partitioning import Definition, Key, parse_definition, parse_path
from emulators.cosmos.store import indexes
from emulators.cosmos.store import rid as rids
from emulators.cosmos.store.schema import fetch, place_of, places_of_container, positions_of_container, range_of

CHILD_LINKS: Mapping[str, Mapping[str, str]] = {
    "dbs": {"_colls": "colls/", "_users": "users/"},
    "colls": {
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
    },
    "users": {"_permissions": "permissions/"},
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as stored. `parent` is the owner's rid, empty for databases and offers."""

    number: int
    kind: str
    parent: str
    id: str
    rid: str
    body: Mapping[str, Any]

    @property
    def link(self) -> str:
        """`_self` without its trailing slash."""
        return str(self.body["_self"]).rstrip("/")


@dataclass(frozen=True, slots=True)
class Range:
    """One physical partition of a container: the hash space [low, high) and the ids of those it was split from."""

    id: int
    place: int
    low: bytes
    high: bytes
    parents: tuple[int, ...] = ()
    open: bool = True

    @property
    def oldest_id(self) -> int:
        """The first ancestor's id: positions of this range's documents start there."""
        return self.parents[0] if self.parents else self.id


@dataclass(frozen=True, slots=True)
class Container:
    """A container and what every operation on its items asks of it.

    `path` is `dbs/<name>/colls/<name>`, percent-encoded as headers need it.
    """

    resource: Resource
    path: str
    raw_rid: bytes
    partition_key: Definition
    default_ttl: int | None
    unique_keys: tuple[tuple[tuple[str, ...], ...], ...]
    versions_minutes: int | None
    """How long every version is kept for the change feed; None where only the latest are."""
    ranges: tuple[Range, ...]
    closed_ranges: tuple[Range, ...]

    @property
    def keeps_versions(self) -> bool:
        """Whether every version and delete is kept."""
        return self.versions_minutes is not None

    @property
    def number(self) -> int:
        """The container's number in this store."""
        return self.resource.number

    def range_at(self, epk: bytes) -> Range:
        """The open range that serves `epk`."""
        for each in self.ranges:
            if epk < each.high:
                return each
        return self.ranges[-1]

    def range_of_key(self, key: Key) -> tuple[bytes, Range]:
        """(EPK, serving range) of a whole partition key."""
        epk = self.partition_key.epk(key)
        return epk, self.range_at(epk)

    def range_by_id(self, range_id: int) -> Range | None:
        """The open range of that id, or None when there is none or it was split."""
        return next((each for each in self.ranges if each.id == range_id), None)

    def overlapping(self, low: bytes, high: bytes) -> Iterator[Range]:
        """The open ranges that share hash space with [low, high), in order."""
        return (each for each in self.ranges if each.low < high and low < each.high)


class Catalog:
    """Finds, lists, makes, changes and removes resources on one connection.

    `versions_minutes`: how long containers without a policy of their own keep every version; None for not at all.
    """

    def __init__(
        self, connection: apsw.Connection, clock: Clock, ids: Ids, salt: int, versions_minutes: int | None = None
    ) -> None:
        self._versions_minutes = versions_minutes
        self._connection = connection
        self._clock = clock
        self._ids = ids
        self._salt = salt
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._containers: dict[str, Container] = {}
        self._containers_by_names: dict[tuple[str, str], Container] = {}

    def forget(self, *, salt: int | None = None) -> None:
        """Drop what was kept in memory, after a change or a transaction that failed."""
        self._resources.clear()
        self._containers.clear()
        self._containers_by_names.clear()
        if salt is not None:
            self._salt = salt

    def find(self, kind: str, parent: str, name: str) -> Resource | None:
        """A resource by its id or its rid."""
        key = (kind, parent, name)
        if found := self._resources.get(key):
            return found
        row = (
            self._connection.execute(f"{_SELECT} WHERE kind=? AND parent=? AND id=?", (kind, parent, name)).fetchone()
            or self._connection.execute(
                f"{_SELECT} WHERE rid=? AND kind=? AND parent=?", (name, kind, parent)
            ).fetchone()
        )
        if row is None:
            return None
        found = self._resources[key] = _resource(row)
        return found

    def children(self, kind: str, parent: str, *, after: int = 0, limit: int = -1) -> list[Resource]:
        """Resources of a kind under `parent` in the order they were made."""
        rows = self._connection.execute(
            f"{_SELECT} WHERE kind=? AND parent=? AND number>? ORDER BY number LIMIT ?", (kind, parent, after, limit)
        )
        return [_resource(row) for row in rows]

    def count(self, *kinds: str) -> int:
        """How many resources of these kinds there are."""
        return sum(
            self._connection.execute("SELECT count(*) FROM resource WHERE kind=?", (kind,)).get for kind in kinds
        )

    def container(self, resource: Resource) -> Container:
        """What operations on items need of the container `resource`."""
        if found := self._containers.get(resource.rid):
            return found
        found = self._containers[resource.rid] = self._open(resource)
        return found

    def container_at(self, database: str, name: str) -> Container | None:
        """The container of those names (or rids), as nearly every request asks for it."""
        if found := self._containers_by_names.get((database, name)):
            return found
        owner = self.find("dbs", "", database)
        resource = self.find("colls", owner.rid, name) if owner else None
        if resource is None:
            return None
        made = self._containers_by_names[database, name] = self.container(resource)
        return made

    def container_by_rid(self, rid: str) -> Container | None:
        """A container by its rid alone."""
        row = self._connection.execute(f"{_SELECT} WHERE rid=? AND kind='colls'", (rid,)).fetchone()
        return self.container(_resource(row)) if row else None

    def by_rid(self, rid: str) -> Resource | None:
        """Any resource by its rid alone."""
        row = self._connection.execute(f"{_SELECT} WHERE rid=?", (rid,)).fetchone()
        return _resource(row) if row else None

    def add(self, kind: str, owner: Resource | None, name: str, body: Mapping[str, Any]) -> Resource | None:
        """Make a resource, or return None when its id is taken."""
        parent = owner.rid if owner else ""
        if self.find(kind, parent, name):
            return None
        self._connection.execute(
            "INSERT INTO resource (kind, parent, id, rid, body) VALUES (?,?,?,?,'')",
            (kind, parent, name, f"new {kind} {name}"),
        )
        number = self._connection.last_insert_rowid()
        rid = self._rid(kind, parent, number)
        base = f"{owner.link}/" if owner else ""
        system = {"_rid": rid, "_self": f"{base}{kind}/{rid}/", "_etag": self._etag(), **CHILD_LINKS.get(kind, {})}
        whole = {**body, **system, "_ts": int(self._clock.now())}
        if kind == "offers":
            whole["id"] = rid  # an offer is found under its owner's rid, and calls itself by its own
        self._connection.execute(
            "UPDATE resource SET rid=?, body=? WHERE number=?", (rid, orjson.dumps(whole).decode(), number)
        )
        self.forget()
        return Resource(number, kind, parent, name, rid, whole)

    def replace(self, resource: Resource, body: Mapping[str, Any]) -> Resource:
        """Give `resource` another body; its system properties stay, `_etag` and `_ts` are new."""
        kept = {name: value for name, value in resource.body.items() if name.startswith("_")}
        mine = {name: value for name, value in body.items() if name not in kept}
        whole = {**mine, **kept, "_etag": self._etag(), "_ts": int(self._clock.now())}
        name = str(whole.get("id", resource.id))
        if whole.get("indexingPolicy") != resource.body.get("indexingPolicy"):
            indexes.drop(self._connection, resource.number)
        self._connection.execute(
            "UPDATE resource SET id=?, body=? WHERE number=?", (name, orjson.dumps(whole).decode(), resource.number)
        )
        self.forget()
        return Resource(resource.number, resource.kind, resource.parent, name, resource.rid, whole)

    def remove(self, resource: Resource) -> None:
        """Delete `resource` and all that is in it."""
        for (kind,) in fetch(self._connection, "SELECT DISTINCT kind FROM resource WHERE parent=?", (resource.rid,)):
            for child in self.children(kind, resource.rid):
                self.remove(child)
        if resource.kind == "colls":
            positions, places = positions_of_container(resource.number), places_of_container(resource.number)
            self._connection.execute("DELETE FROM document WHERE position>=? AND position<?", positions)
            self._connection.execute("DELETE FROM unique_value WHERE container=?", (resource.number,))
            self._connection.execute("DELETE FROM version WHERE place>=? AND place<?", places)
            self._connection.execute(
                "UPDATE store SET highest_lsn=max(highest_lsn, (SELECT max(lsn) FROM range WHERE container=?))",
                (resource.number,),
            )
            self._connection.execute("DELETE FROM range WHERE container=?", (resource.number,))
            indexes.drop(self._connection, resource.number)
        self._connection.execute("DELETE FROM resource WHERE number=?", (resource.number,))
        self.forget()

    def add_ranges(
        self,
        container: int,
        bounds: list[tuple[bytes, bytes]],
        *,
        parents: tuple[int, ...] = (),
        lsn: int | None = None,
    ) -> list[Range]:
        """Open ranges over `bounds`, numbered on from those the container has had, their LSN beginning at `lsn`."""
        if lsn is None:
            ((lsn,),) = fetch(self._connection, "SELECT highest_lsn FROM store")
        highest = self._connection.execute(
            "SELECT coalesce(max(place), -1) FROM range WHERE container=?", (container,)
        ).get
        first = 0 if highest < 0 else range_of(highest) + 1
        made = []
        for offset, (low, high) in enumerate(bounds):
            place = place_of(container, first + offset)
            self._connection.execute(
                "INSERT INTO range (place, container, low, high, parents, open, lsn, made) VALUES (?,?,?,?,?,1,?,0)",
                (place, container, low, high, orjson.dumps(parents).decode(), lsn),
            )
            made.append(Range(first + offset, place, low, high, parents))
        self.forget()
        return made

    def _open(self, resource: Resource) -> Container:
        database = self.by_rid(resource.parent)
        if database is None:
            raise LookupError(f"container {resource.rid} has no database")
        body = resource.body
        rows = fetch(
            self._connection,
            "SELECT place, low, high, parents, open FROM range WHERE container=? ORDER BY low, place",
            (resource.number,),
        )
        ranges = [
            Range(range_of(place), place, low, high, tuple(orjson.loads(parents)), bool(is_open))
            for place, low, high, parents, is_open in rows
        ]
        unique_keys = body.get("uniqueKeyPolicy", {}).get("uniqueKeys", [])
        return Container(
            resource=resource,
            path=quote(f"dbs/{database.id}/colls/{resource.id}"),
            raw_rid=rids.raw(resource.rid),
            partition_key=parse_definition(body["partitionKey"]),
            default_ttl=body.get("defaultTtl"),
            unique_keys=tuple(tuple(parse_path(path) for path in each["paths"]) for each in unique_keys),
            versions_minutes=body.get("changeFeedPolicy", {}).get("retentionDuration", self._versions_minutes),
            ranges=tuple(each for each in ranges if each.open),
            closed_ranges=tuple(each for each in ranges if not each.open),
        )

    def _rid(self, kind: str, parent: str, number: int) -> str:
        makers: Mapping[str, Callable[[], str]] = {
            "dbs": lambda: rids.database_rid(number, self._salt),
            "colls": lambda: rids.container_rid(parent, number, self._salt),
            "clientencryptionkeys": lambda: rids.encryption_key_rid(parent, number),
            "users": lambda: rids.user_rid(parent, number, self._salt),
            "permissions": lambda: rids.permission_rid(parent, number),
            "offers": lambda: rids.offer_rid(number, self._salt),
        }
        make = makers.get(kind)
        return make() if make else rids.child_rid(rids.raw(parent), kind, number)

    def _etag(self) -> str:
        raw = self._ids.token(4).hex()
        return f'"{raw}-0000-0000-0000-{int(self._clock.now()):08x}0000"'


_SELECT = "SELECT number, kind, parent, id, rid, body FROM resource"


def _resource(row: tuple[Any, ...]) -> Resource:
    number, kind, parent, name, rid, body = row
    return Resource(number, kind, parent, name, rid, orjson.loads(body))
