"""One request on its way through an operation (`Call`), and the headers that answers share.

Reads headers and paths and refuses malformed ones; knows no operation's rules and no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import orjson

from emulators.base.serving import Request, Response
from emulators.cosmos import errors, limits
from emulators.cosmos.account import Account
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import Key, PartitionKeyError, parse_header
from emulators.cosmos.sql.values import depth
from emulators.cosmos.store import rid as rids
from emulators.cosmos.store.catalog import Container, Range, Resource
from emulators.cosmos.store.documents import lsn_of

JSON = "application/json"
DECORATION = {
    "content-type": JSON,
    "cache-control": "no-store, no-cache",
    "x-ms-gatewayversion": "version=2.14.0",
    "x-ms-serviceversion": "version=2.14.0.0",
    "x-ms-schemaversion": "1.18",
    "x-ms-xp-role": "1",
    "x-ms-number-of-read-regions": "0",
}
"""Headers that clients log and do not act on."""
_ITEM = "dbs/*/colls/*/docs/*"


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: resource types and names in turn. A feed has one name fewer than types."""

    types: tuple[str, ...]
    names: tuple[str, ...]
    is_feed: bool
    """Whether the path ends in a type."""
    shape: str
    """The path with names starred out: `dbs/*/colls`."""
    kind: str
    """The type that the path is about, empty for the account."""

    @property
    def owner_path(self) -> str:
        """The path of the resource, or of a feed's owner: what signatures are made over."""
        return "/".join([f"{kind}/{name}" for kind, name in zip(self.types, self.names, strict=False)])

    @property
    def is_rid_based(self) -> bool:
        """Whether the path is made of rids: then its first name is eight characters that stand for four bytes."""
        if not self.names or self.types[0] != "dbs" or len(self.names[0]) != 8:
            return False
        try:
            return len(rids.raw(self.names[0])) == 4
        except ValueError:
            return False


@lru_cache(maxsize=256)  # clients repeat few paths: feeds and what is hot
def parse_target(raw_path: str) -> Target:
    """A path, still percent-encoded, taken apart; names may hold encoded slashes."""
    path = raw_path.strip("/")
    if not path:
        return Target((), (), is_feed=False, shape="", kind="")
    segments = path.split("/")
    if "%" in path:
        segments = [unquote(segment) for segment in segments]
    types, names = tuple([segment.lower() for segment in segments[::2]]), tuple(segments[1::2])
    is_feed = len(types) > len(names)
    return Target(types, names, is_feed, "/*/".join(types) + ("" if is_feed else "/*"), types[-1])


def target_of(request: Request) -> Target:
    """What a request's path names. The service has no queries: @azure/cosmos leaves an id's question mark bare."""
    target = parse_target(request.raw_path)
    return parse_target(request.target) if target.shape == _ITEM and "?" in request.target else target


@dataclass(slots=True)
class Call:
    """An authorised request: who serves it, what it names, its headers."""

    account: Account
    request: Request
    target: Target
    activity_id: str
    charge_factor: float = 1.0
    """What the charge is multiplied by: reads that ask two replicas cost twice."""

    @property
    def now(self) -> int:
        """The account's time in whole seconds, as `_ts` counts."""
        return int(self.account.clock.now())

    def header(self, name: str) -> str:
        """A header's text, empty when absent."""
        return self.request.headers.get(name, "")

    def flag(self, name: str) -> bool:
        """A boolean header; absent is false. Raises Refused for anything but true and false."""
        value = self.request.headers.get(name)
        if value is None:
            return False
        if value.lower() not in ("true", "false"):
            raise Refused(errors.BAD_HEADER, f"The value '{value[:100]}' specified for the header '{name}' is invalid.")
        return value.lower() == "true"

    def check_directive(self) -> None:
        """Raises Refused for an unknown indexing directive. The known ones change nothing, as in the service of today.

        Its index holds every item; a query finds what was written with Exclude, and in containers that are not
        `automatic` too.
        """
        directive = self.header("x-ms-indexing-directive")
        if directive and not is_directive(directive):
            raise Refused(errors.BAD_HEADER, f"The indexing directive '{directive[:100]}' is invalid.")

    def page_size(self, default: int) -> int:
        """x-ms-max-item-count; absent and -1 leave it to us. Raises Refused."""
        value = self.request.headers.get("x-ms-max-item-count")
        if value is None or value == "-1":
            return default
        size = whole_number(value)
        if size is None or not 0 < size < 1 << 31:
            raise Refused(errors.BAD_HEADER, f"The value '{value[:100]}' specified for x-ms-max-item-count is invalid.")
        return size

    def json(self) -> object:
        """The body. Raises Refused when it is not JSON, or too deep to be written again."""
        try:
            body: object = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            raise Refused(errors.BAD_BODY) from None
        if depth(body) > limits.BODY_NESTING_MAX:
            raise Refused(errors.BAD_REQUEST, errors.wrapped("The request body is nested too deeply."))
        return body

    def json_object(self) -> dict[str, object]:
        """The body as an object. Raises Refused."""
        document = self.json()
        if not isinstance(document, dict):
            raise Refused(errors.BAD_BODY)
        return document

    def resource(self, depth: int | None = None) -> Resource:
        """The resource that the first `depth` names of the path lead to (all of them by default). Raises Refused."""
        names = self.target.names[:depth]
        catalog = self.account.store.catalog
        found: Resource | None = None
        for level, name in enumerate(names):
            found = catalog.find(self.target.types[level], found.rid if found else "", name)
            if found is None:
                raise Refused(errors.NOT_FOUND if level or len(self.target.types) < 3 else errors.OWNER_NOT_FOUND)
        if found is None:
            raise LookupError(f"the path {self.target.owner_path!r} names no resource")
        return found

    def container(self) -> Container:
        """The container in the path, which must be the one that the request intended. Raises Refused."""
        catalog, names = self.account.store.catalog, self.target.names
        container = catalog.container_at(names[0], names[1]) or catalog.container(self.resource(2))
        intended = self.request.headers.get("x-ms-cosmos-intended-collection-rid")
        if intended is not None and intended != container.resource.rid:
            raise Refused(errors.CONTAINER_RID_MISMATCH)
        return container

    def partition_key(self, container: Container) -> Key:
        """The whole partition key in the headers. Raises Refused when there is none or it lacks components."""
        key = self.partition_key_or_prefix()
        wanted = len(container.partition_key.paths)
        if key is None:
            raise Refused(errors.MISSING_PARTITION_KEY)
        if key and len(key) != wanted:
            raise Refused(errors.PARTITION_KEY_MISMATCH, _count_text(len(key), wanted))
        return key

    def partition_key_or_prefix(self) -> Key | None:
        """The partition key in the headers, however many components it has. Raises Refused when malformed."""
        text = self.request.headers.get("x-ms-documentdb-partitionkey")
        if text is None:
            return None
        try:
            return parse_header(text)
        except PartitionKeyError as refusal:
            raise Refused(errors.BAD_HEADER, str(refusal)) from None


def is_directive(text: str) -> bool:
    """Whether it says how an item shall be indexed: a word, or the number that stands for it in the Python SDK."""
    return text.lower() in ("default", "include", "exclude", "0", "1", "2")


def _count_text(given: int, wanted: int) -> str:
    which = "fewer" if given < wanted else "more"
    return errors.wrapped(
        f"Partition key provided has {which} components than defined in the the collection: {given}, not {wanted}."
    )


def answer(
    call: Call, status: int, body: bytes = b"", *, charge: float, headers: Mapping[str, str] | None = None
) -> Response:
    """A successful answer with the headers that all answers have."""
    shared = {
        **DECORATION,
        "content-location": f"{call.request.scheme}://{call.request.host}{call.request.raw_path}",
        "x-ms-activity-id": call.activity_id,
        "x-ms-request-charge": format_charge(charge * call.charge_factor),
    }
    if headers:
        shared.update(headers)
    return Response(status, shared, body)


def refusal(refused: Refused, activity_id: str) -> Response:
    """The answer that tells a client why it was refused."""
    headers = {
        **DECORATION,
        "x-ms-activity-id": activity_id,
        "x-ms-request-charge": format_charge(refused.charge),
        **refused.headers,
    }
    if refused.kind.substatus:
        headers["x-ms-substatus"] = str(refused.kind.substatus)
    return Response(refused.kind.status, headers, refused.body(activity_id))


def format_charge(charge: float) -> str:
    """Request units as the header writes them: at most two decimals."""
    return f"{charge:.2f}".rstrip("0").rstrip(".")


def resource_headers(resource: Resource, owner_path: str = "") -> dict[str, str]:
    """Headers of an answer that is one resource."""
    return {"etag": str(resource.body["_etag"]), **({"x-ms-alt-content-path": owner_path} if owner_path else {})}


def session_token(range_: Range, lsn: int) -> str:
    """The session token that says: this far in this range."""
    return f"{range_.id}:-1#{lsn}"


def container_headers(call: Call, container: Container, range_: Range | None, lsn: int | None = None) -> dict[str, str]:
    """Headers of every answer about a container's items: session token, LSNs, paths.

    `range_` None means all of its ranges; `lsn` is read when not given.
    """
    connection = call.account.store.connection
    if range_ is None:
        pairs = [(each, lsn_of(connection, each)) for each in container.ranges]
        token = ",".join(session_token(each, its) for each, its in pairs)
        return {"x-ms-session-token": token, **_paths(container)}
    lsn = lsn_of(connection, range_) if lsn is None else lsn
    text = str(lsn)
    return {
        "x-ms-session-token": session_token(range_, lsn),
        "lsn": text,
        "x-ms-cosmos-llsn": text,
        "x-ms-global-committed-lsn": text,
        "x-ms-quorum-acked-lsn": text,
        "x-ms-cosmos-quorum-acked-llsn": text,
        "x-ms-documentdb-partitionkeyrangeid": str(range_.id),
        **_paths(container),
    }


def _paths(container: Container) -> dict[str, str]:
    return {"x-ms-alt-content-path": container.path, "x-ms-content-path": container.resource.rid}
