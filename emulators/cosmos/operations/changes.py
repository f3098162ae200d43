"""The change feed (GET docs with A-IM): what changed in a range since an LSN, which is the feed's ETag.

A feed over several ranges has an ETag for each: `"<range>~<LSN>|…"`; over one it is `"<LSN>"`, as clients know it.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import apsw

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.expiry import remove_expired
from emulators.cosmos.operations.feed import documents_envelope
from emulators.cosmos.scopes import scopes_of
from emulators.cosmos.sessions import check_session
from emulators.cosmos.store.catalog import Container
from emulators.cosmos.store.changes import Change, forget_versions, latest, versions
from emulators.cosmos.store.documents import Scope, lsn_of
from emulators.cosmos.wire import Call, answer, container_headers

LATEST, ALL_VERSIONS = "incremental feed", "full-fidelity feed"
NOT_MODIFIED = 304


async def read(call: Call) -> Response:
    """GET docs with A-IM: a page of changes, or 304 when there is none."""
    container = call.container()
    mode = call.header("a-im").strip().lower()
    if mode not in (LATEST, ALL_VERSIONS):
        raise Refused(errors.BAD_HEADER, f"The A-IM value '{mode[:100]}' is not supported.")
    if mode == ALL_VERSIONS:
        await _prepare_versions(call, container, scopes_of(call, container))
        container = call.container()  # it may have been split, or removed, while we waited
    scopes = scopes_of(call, container)
    connection = call.account.store.connection
    resumed = call.header("if-none-match")
    from_now = resumed == "*" or (mode == ALL_VERSIONS and not resumed)
    reached = {
        scope.range.id: lsn_of(connection, scope.range) if from_now else _lsn(resumed, scope) for scope in scopes
    }
    since = 0 if mode == ALL_VERSIONS else _since(call)
    size = min(call.page_size(limits.PAGE_ITEMS_MAX), limits.PAGE_ITEMS_MAX)
    bodies: list[bytes] = []
    reader = latest if mode == LATEST else versions
    for scope in scopes:
        check_session(call, container, scope.range)
        if len(bodies) >= size or sum(map(len, bodies)) > limits.RESPONSE_BYTES_MAX:
            break
        after = reached[scope.range.id]
        page = _within(reader(connection, scope, after=after, since=since, size=size - len(bodies)))
        bodies.extend(body for _, body in page)
        full = len(bodies) >= size or (page and page[-1][0] < lsn_of(connection, scope.range))
        reached[scope.range.id] = page[-1][0] if page and full else max(after, lsn_of(connection, scope.range))
    headers = container_headers(call, container, scopes[0].range if len(scopes) == 1 else None)
    headers |= {"etag": _etag(reached), "x-ms-item-count": str(len(bodies))}
    await call.account.store.database.settled()
    if not bodies:
        return answer(call, NOT_MODIFIED, charge=charges.METADATA, headers=headers)
    charge = charges.page(len(bodies), sum(map(len, bodies)))
    return answer(call, 200, documents_envelope(container, bodies), charge=charge, headers=headers)


async def _prepare_versions(call: Call, container: Container, scopes: list[Scope]) -> None:
    """Refuse containers that keep no versions; turn items that have expired into deletes; drop what is too old."""
    if container.versions_minutes is None:
        raise Refused(
            errors.BAD_REQUEST,
            "The change feed mode 'All Versions and Deletes' must be enabled: the container needs a changeFeedPolicy, "
            "or the emulator the option --all-versions.",
        )
    oldest = call.now - 60 * container.versions_minutes

    def work(connection: apsw.Connection) -> None:
        for scope in scopes:
            forget_versions(connection, scope, oldest)
            remove_expired(connection, scope)

    await call.account.store.database.write(work)


def _within(page: list[Change]) -> list[Change]:
    """The page cut to the response limit, at the end of an LSN; its first LSN whole in any case."""
    size, end = 0, len(page)
    for index, (lsn, body) in enumerate(page):
        size += len(body)
        if size > limits.RESPONSE_BYTES_MAX and page[0][0] != lsn:
            end = index
            break
    while end < len(page) and end and page[end - 1][0] == page[end][0]:
        end -= 1
    return page[:end]


def _lsn(token: str, scope: Scope) -> int:
    """How far a client has read `scope`'s range. Raises Refused."""
    if not token:
        return 0
    parts = token.strip('"').split("|")
    for part in parts:
        before, tilde, text = part.rpartition("~")
        range_id, lsn = whole_number(before), whole_number(text)
        if lsn is None or (tilde and range_id is None):
            raise Refused(errors.BAD_HEADER, f"The If-None-Match value '{token[:100]}' is not of this feed.")
        if range_id in (None, scope.range.id, *scope.range.parents):
            return lsn
    return 0


def _since(call: Call) -> int:
    text = call.header("if-modified-since")
    if not text:
        return 0
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        raise Refused(errors.BAD_HEADER, f"The If-Modified-Since value '{text[:100]}' is not a date.") from None


def _etag(reached: dict[int, int]) -> str:
    if len(reached) == 1:
        return f'"{next(iter(reached.values()))}"'
    return '"' + "|".join(f"{range_id}~{lsn}" for range_id, lsn in reached.items()) + '"'
