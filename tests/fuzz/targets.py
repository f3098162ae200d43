"""What is fuzzed: a parser, how it may refuse, and well-formed examples to begin with.

A target takes bytes and returns, or raises one of its `refusals`. Anything else is a finding: another exception, or
more time than `SECONDS_MAX`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import orjson

from emulators.cosmos import continuation, documents, partitioning, patch, sessions, tokens, wire
from emulators.cosmos.errors import Refused as CosmosRefused
from emulators.cosmos.sql.errors import QueryRefused, QueryUnbuilt, QueryUnservable
from emulators.cosmos.sql.statement import prepare
from emulators.eventgrid import auth, filters, odata, schemas
from emulators.eventgrid.errors import Misstated
from emulators.eventgrid.errors import Refused as EventGridRefused
from emulators.eventgrid.mapping import NO_MAPPING
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.routes import Router, parse_template
from emulators.functions_host.triggers.schedule import parse_schedule
from order_events import UndecodableEvent, decode
from update_order_status import requests
from update_order_status.errors import Refused as CommandRefused
from update_order_status_read_model import paging

SECONDS_MAX = 5.0
"""For one input of at most BYTES_MAX; ordinarily it takes well below a millisecond."""
BYTES_MAX = 4096
NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY = b"k" * 32
TOPIC = schemas.Reception("/topics/t", NO_MAPPING, lambda: "id", NOW)


@dataclass(frozen=True, slots=True)
class Target:
    """One parser."""

    feed: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    examples: tuple[bytes, ...]

    def take(self, data: bytes) -> None:
        """Feed it; a refusal is an answer."""
        with contextlib.suppress(*self.refusals):
            self.feed(data)


def _text(data: bytes) -> str:
    """As a server decodes a header or a path."""
    return data.decode("latin-1")


def _unicode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _json(data: bytes) -> Any:
    """JSON, or the text itself: what a parser gets that comes after a JSON parser."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _unicode(data)


def _headers(data: bytes) -> dict[str, str]:
    """`name: value` lines, the names in lower case, as our server passes them on."""
    lines = (_text(line).partition(":") for line in data.split(b"\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _publish_allowed(data: bytes) -> None:
    auth.authorize(_headers(data), {}, path="/t/api/events", keys=["a2V5"], now=NOW, bearer_allowed=True)


def _cloud_events(data: bytes) -> object:
    head, _, body = data.partition(b"\n\n")
    return schemas.read_cloud_events(_headers(head), body, TOPIC)


def _route(data: bytes) -> object:
    template, _, path = data.partition(b"\n")
    router: Router[str] = Router()
    router.add(parse_template(_unicode(template)), ["GET"], "found")
    return router.match("GET", _text(path))


def _schedule(data: bytes) -> object:
    return parse_schedule(_unicode(data), UTC).after(NOW)


def _command(data: bytes) -> object:
    head, _, body = data.partition(b"\n\n")
    request = func.HttpRequest("POST", "http://h/api/UpdateOrderStatus", headers=_headers(head), body=body)
    requests.read_key(request)
    return requests.read_command(request, "key", repeatable=True)


def _commands(data: bytes) -> object:
    request = func.HttpRequest("POST", "http://h/api/UpdateOrderStatuses", headers={}, body=data)
    return requests.read_commands(request, "key", repeatable=True)


EVENT = (
    b'{"id":"e","subject":"orders/update","eventType":"OrderStatusUpdated","eventTime":"2026-11-23T00:00:00Z",'
    b'"dataVersion":"1.0","data":{"orderId":"o","status":"created","previousStatus":null,"version":1,'
    b'"occurredAt":"2026-11-23T00:00:00Z","commandId":"c","traceparent":null}}'
)
CLOUD_EVENT = b'{"specversion":"1.0","id":"e","source":"/s","type":"OrderStatusUpdated","data":{"orderId":"o"}}'
FILTER = (
    b'{"subjectBeginsWith":"o","includedEventTypes":["a"],"enableAdvancedFilteringOnArrays":true,"advancedFilters":['
    b'{"operatorType":"NumberInRange","key":"data.n","values":[[1,2]]},'
    b'{"operatorType":"StringIn","key":"data.s","values":["x"]},{"operatorType":"IsNotNull","key":"data.k"}]}'
)
COSMOS = (CosmosRefused,)

TARGETS: Mapping[str, Target] = {
    "cosmos query": Target(
        lambda data: prepare(_unicode(data)),
        (QueryRefused, QueryUnbuilt, QueryUnservable),
        (
            b"SELECT c.a, COUNT(1) AS n FROM c JOIN x IN c.b WHERE c.a IN (1, 'two', @p) GROUP BY c.a",
            b"SELECT TOP 5 VALUE {'a': c.a[0], \"b\": ARRAY(SELECT VALUE x FROM x IN c.b)} FROM c ORDER BY c.a DESC",
        ),
    ),
    "cosmos item": Target(documents.parse_document, COSMOS, (b'{"id":"1","pk":"p","n":[1,{"a":null}]}',)),
    "cosmos patch": Target(
        lambda data: patch.parse_operations(_json(data)),
        COSMOS,
        (
            b'{"condition":"FROM c WHERE c.v < 2","operations":[{"op":"set","path":"/a/0","value":1}]}',
            b'{"operations":[{"op":[],"path":"/a"}]}',  # once failed instead of being refused
        ),
    ),
    "cosmos path": Target(lambda data: wire.parse_target(_text(data)), (), (b"/dbs/d/colls/c%20d/docs/%2F",)),
    "cosmos partition key": Target(
        lambda data: partitioning.parse_header(_text(data)),
        (partitioning.PartitionKeyError,),
        (b'["a",1,{}]', b"[true,null]"),
    ),
    "cosmos partition key definition": Target(
        lambda data: partitioning.parse_definition(_json(data)),
        (partitioning.PartitionKeyError,),
        (b'{"paths":["/a/b","/\\"c d\\"/e"],"kind":"MultiHash","version":2}',),
    ),
    "cosmos session": Target(lambda data: sessions.parse_token(_text(data)), COSMOS, (b"0:-1#12,1:0#5#1=3",)),
    "cosmos continuation": Target(
        lambda data: continuation.read_position(KEY, "q", _text(data)),
        COSMOS,
        (continuation.write_position(KEY, "q", continuation.Position(0, 5, 1, 2, b"k")).encode(),),
    ),
    "cosmos resource token": Target(
        lambda data: tokens.redeem(KEY, _text(data)),
        (),
        (tokens.issue(KEY, tokens.Grant("dbs/d", "All", 9, None)).partition("sig=")[2].encode(),),
    ),
    "event grid events": Target(
        lambda data: schemas.read_event_grid(data, TOPIC), (EventGridRefused,), (b"[" + EVENT + b"]",)
    ),
    "event grid cloud events": Target(
        _cloud_events,
        (EventGridRefused,),
        (
            b"content-type: application/cloudevents+json\n\n" + CLOUD_EVENT,
            b"content-type: application/cloudevents-batch+json; charset=utf-8\n\n[" + CLOUD_EVENT + b"]",
            b"ce-id: 1\nce-type: t\nce-source: s\nce-specversion: 1.0\ncontent-type: application/json\n\n{}",
        ),
    ),
    "event grid credentials": Target(
        _publish_allowed,
        (EventGridRefused,),
        (
            b"aeg-sas-key: a2V5",
            b"host: h\naeg-sas-token: r=http%3a%2f%2fh%2ft&e=11%2f24%2f2026+1%3a00%3a00+AM&s=c2ln",
            b"authorization: SharedAccessSignature r=x&e=2026-11-24T00:00:00Z&s=%",
            b"authorization: Bearer a.b.c",
        ),
    ),
    "event grid filter": Target(lambda data: filters.parse_filter(_json(data)), (Misstated,), (FILTER,)),
    "event grid list filter": Target(
        lambda data: odata.parse_filter(_unicode(data)),
        (Misstated, EventGridRefused),
        (b"name eq 'a' and not (contains(name, 'b''c') or name ne 'w')",),
    ),
    "host route": Target(
        _route, (FunctionInError,), (b"orders/{id:int:range(1,9)?}/{*rest}\n/orders/7/a%20b", b"{a}.{b=x}\n/q.r")
    ),
    "host schedule": Target(
        _schedule, (FunctionInError,), (b"0 */5 8-18/2 1,15 JAN-jun MON", b"0 0 29 2 *", b"00:05:00", b"1.02:03:04")
    ),
    "order command": Target(
        _command,
        (CommandRefused,),
        (b'idempotency-key: k\nif-match: "7", W/"8"\n\n{"orderId":"o-1","status":"created"}',),
    ),
    "order commands": Target(
        _commands, (CommandRefused,), (b'{"commands":[{"orderId":"o","status":"created","idempotencyKey":"k"}]}',)
    ),
    "order event": Target(decode, (UndecodableEvent,), (EVENT, CLOUD_EVENT)),
    "order list token": Target(
        lambda data: paging.read_token(KEY, {"status": "created"}, _text(data)),
        (paging.TokenRefused,),
        (paging.sign_token(KEY, {"status": "created"}, {"at": "x", "id": "o"}).encode(),),
    ),
}
"""By name."""
