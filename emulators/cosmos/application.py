"""The composition: an account on a store, its routes behind the authorization check, faults and control endpoints.

`create` needs no socket: a simulation calls the `Application` it returns with requests of its own.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulators.base.clock import Clock
from emulators.base.control import Control
from emulators.base.faults import Act, Faults, Vocabulary, suffer
from emulators.base.ids import Ids
from emulators.base.serving import DROPPED, Application, Request, Response
from emulators.cosmos import control, errors, identity, limits, negotiation
from emulators.cosmos.account import WELL_KNOWN_KEY, Account, Consistency, decode_key
from emulators.cosmos.auth import authorize, require_authorization
from emulators.cosmos.errors import Refused
from emulators.cosmos.expiry import Sweeper
from emulators.cosmos.metrics import Metrics, Served
from emulators.cosmos.operations.offers import provisioned
from emulators.cosmos.routes import OPERATIONS, Operation, action_of, check_path, operation_name, route
from emulators.cosmos.scripts.engine import Engine
from emulators.cosmos.sessions import charge_factor, check_consistency
from emulators.cosmos.store.files import Store
from emulators.cosmos.store.snapshots import Snapshots
from emulators.cosmos.throttle import Throttle
from emulators.cosmos.wire import Call, Target, refusal, target_of

logger = logging.getLogger("cosmos")

ACCOUNT_NAME = "localhost"
REST = "/rest"
"""Below the control endpoints: the service's own surface without signatures, for an explorer page."""
VOCABULARY = Vocabulary(
    matches=("operation", "method", "path", "database", "container", "id"),
    acts=("status", "delaySeconds", "drop"),
    operations=OPERATIONS,
)
"""What fault rules can say here."""
METERED = ("dbs/*/colls/*/docs", "dbs/*/colls/*/docs/*", "dbs/*/colls/*/sprocs/*", "dbs/*/colls/*/operations/*")
"""Paths whose requests draw on a container's throughput; descriptions are free of it."""


def create(
    path: Path | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    key: str = WELL_KNOWN_KEY,
    consistency: Consistency = "Session",
    throttled: bool = False,
    all_versions: bool = False,
    faults: Faults | None = None,
    script_seconds: float = limits.SCRIPT_SECONDS_MAX,
    name: str = ACCOUNT_NAME,
) -> Application:
    """An emulator of one account, its data in the directory `path` or in memory. Raises KeyFormatError, FormatError.

    `throttled` refuses requests beyond the throughput that was bought, as the service does. `all_versions` keeps every
    version and delete, as an account does for which that was enabled. `script_seconds` is how long a script may run.
    """
    clock, ids = clock or Clock(), ids or Ids()
    raw_key = decode_key(key)
    store = Store(path, clock, ids, limits.VERSIONS_MINUTES if all_versions else None)
    scripts = Engine(script_seconds)
    account = Account(name, store, clock, ids, raw_key, Sweeper(clock), scripts, consistency)
    account.throttle = Throttle(clock) if throttled else None
    return Emulator(account, faults or Faults(clock, VOCABULARY), Snapshots(path)).application()


class Emulator:
    """Takes requests through control endpoints, authorization, fault rules and routes."""

    def __init__(self, account: Account, faults: Faults, snapshots: Snapshots) -> None:
        self._account = account
        self._faults = faults
        self._metrics = Metrics()
        self._control = Control(
            "cosmos",
            account.clock,
            faults,
            self._health,
            account.store.reset,
            extra=control.routes(account, self._metrics, snapshots),
            trees={REST: self._serve_owner},
        )

    def application(self) -> Application:
        """What is served."""

        async def close() -> None:
            await self._account.scripts.close()
            self._account.store.close()

        return Application(self.handle, self._refuse_body, limits.BODY_BYTES_READ_MAX, close=close)

    async def handle(self, request: Request) -> Response:
        """The answer to any request."""
        if self._control.owns(request.raw_path):
            if request.raw_path == identity.PATH:
                return identity.token(self._account, request)
            return await self._control.handle(request)
        return await self._serve(request, signed=True)

    async def _serve_owner(self, request: Request) -> Response:
        """The REST surface below `/_emulator/rest` for whoever owns the account: nothing need be signed."""
        refusal = control.refuse_stranger(self._account, request)
        if refusal is not None:
            return refusal
        target = request.target.partition(REST)[2] or "/"
        return await self._serve(replace(request, target=target), signed=False)

    async def _serve(self, request: Request, *, signed: bool) -> Response:
        """The answer to a request of the service's own surface."""
        clock = self._account.clock
        started = clock.now()
        activity_id = request.headers.get("x-ms-activity-id") or self._account.ids.guid()
        path = request.raw_path
        target = target_of(request)
        action = action_of(request, target)
        name = operation_name(target, action)
        try:
            if signed:
                require_authorization(request)
            check_path(target)
            if signed:
                authorize(self._account, request, target, action)
            response = await self._answer(request, target, action, name, activity_id)
        except Refused as refused:
            response = refusal(refused, activity_id)
        seconds = clock.now() - started
        self._metrics.note(
            Served(request.method, path, name, response.status, response.headers, started, seconds, activity_id)
        )
        logger.debug("%s %s %d %s", request.method, path, response.status, activity_id)
        return response

    async def _answer(self, request: Request, target: Target, action: str, name: str, activity_id: str) -> Response:
        operation = route(request, target, action)
        negotiation.check(request.headers)
        call = Call(self._account, request, target, activity_id)
        call.charge_factor = charge_factor(check_consistency(call), target, action)
        act = None
        if self._faults.are_set:
            act = self._faults.strike(operation=name, method=request.method, path=request.path, **_facts(target))
        if act is None:
            return await self._metered(call, operation)

        async def work() -> Response:
            return await self._metered(call, operation)

        return await suffer(act, self._account.clock, work, _refuse_by_rule, lambda: DROPPED)

    async def _metered(self, call: Call, operation: Operation) -> Response:
        """Do the operation, within the throughput that its container has bought if the account throttles."""
        throttle = self._account.throttle
        if throttle is None or call.target.shape not in METERED:
            return await operation(call)
        owner, throughput = provisioned(self._account.store.catalog, call.resource(2))
        throttle.admit(owner, throughput)
        try:
            response = await operation(call)
        except Refused as refused:
            throttle.charge(owner, throughput, refused.charge)
            raise
        throttle.charge(owner, throughput, float(str(response.headers["x-ms-request-charge"])))
        return response

    def _refuse_body(self, request: Request) -> Response:
        return refusal(Refused(errors.TOO_LARGE), request.headers.get("x-ms-activity-id") or self._account.ids.guid())

    def _health(self) -> dict[str, Any]:
        catalog = self._account.store.catalog
        return {"account": self._account.name, "databases": catalog.count("dbs"), "containers": catalog.count("colls")}


def _facts(target: Target) -> dict[str, str]:
    """What a fault rule can match on."""
    names = dict(zip(target.types, target.names, strict=False))
    return {"database": names.get("dbs", ""), "container": names.get("colls", ""), "id": names.get(target.kind, "")}


def _refuse_by_rule(act: Act) -> Response:
    headers = {}
    if act.retry_after_seconds is not None:
        headers["x-ms-retry-after-ms"] = str(round(act.retry_after_seconds * 1000))
    assert act.status is not None
    raise Refused(errors.of_status(act.status, act.substatus), headers=headers)
