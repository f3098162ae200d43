"""The validation handshake: nothing is delivered to an endpoint that has not agreed.

`ask` performs one handshake and judges the answer; `Handshakes` keeps one task per subscription that is being
provisioned and moves its state. Sources: docs webhook-event-delivery, CloudEvents webhook specification.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Literal

import orjson

from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.eventgrid import limits
from emulators.eventgrid.catalogue import Catalogue
from emulators.eventgrid.conversion import DeliverySchema
from emulators.eventgrid.deadletters import service_time
from emulators.eventgrid.destinations import WEBHOOK
from emulators.eventgrid.subscriptions import State, Subscription, Validation
from emulators.eventgrid.transport import Incoming, Outgoing, Transport

logger = logging.getLogger("eventgrid.handshake")
ORIGIN = "eventgrid.azure.net"
REQUEST_RATE = "120"
"""Deliveries a minute that the handshake asks for. Our choice; the service's own figure is not documented."""


class Verdict(Enum):
    """What an endpoint's answer means."""

    AGREED = auto()
    BY_HAND = auto()
    """It did not refuse: the user may open the validation URL."""
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and, unless agreed, why."""

    verdict: Verdict
    reason: str = ""
    rate: float | None = None
    """Requests a minute that the endpoint allows, if it said so."""


@dataclass(slots=True)
class Outcome:
    """How one creation or update goes, for who polls it. `error` says why it failed."""

    status: Literal["InProgress", "Succeeded", "Failed", "Canceled"] = "InProgress"
    error: str = ""


def question(subscription: Subscription, code: str, url: str, event_id: str, now: float) -> Outgoing:
    """The request that asks the subscription's endpoint for its consent."""
    settings = subscription.latest.settings
    if settings.schema is DeliverySchema.CLOUD_EVENT:
        headers = {
            "WebHook-Request-Origin": ORIGIN,
            "WebHook-Request-Callback": url,
            "WebHook-Request-Rate": REQUEST_RATE,
        }
        return Outgoing("OPTIONS", settings.destination.url, headers)
    data = {"validationCode": code, "validationUrl": url}
    event = _system_event(subscription, "SubscriptionValidationEvent", data, event_id, now)
    return _posted(subscription, "SubscriptionValidation", settings.destination.url, event)


def judge(answer: Incoming, code: str, schema: DeliverySchema) -> Judgement:
    """Whether the endpoint agreed."""
    if answer.status is None:
        return Judgement(Verdict.REFUSED, f"no answer: {answer.outcome}, {answer.body.decode(errors='replace')}")
    if answer.status != 200:
        return Judgement(Verdict.REFUSED, f"it answered {answer.status}, only 200 is consent")
    if schema is DeliverySchema.CLOUD_EVENT:
        allowed = {each.strip().lower() for each in answer.headers.get("webhook-allowed-origin", "").split(",")}
        if allowed & {"*", ORIGIN}:
            return Judgement(Verdict.AGREED, rate=_allowed_rate(answer.headers.get("webhook-allowed-rate", "*")))
        return Judgement(Verdict.BY_HAND, f"its WebHook-Allowed-Origin does not name {ORIGIN}")
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        document = None
    given = {name.lower(): each for name, each in document.items()} if isinstance(document, dict) else {}
    if given.get("validationresponse") == code:
        return Judgement(Verdict.AGREED)
    return Judgement(Verdict.BY_HAND, "its answer does not repeat the validation code")


class Handshakes:
    """Provisions subscriptions. `agreed` is told each one that may be delivered to."""

    def __init__(
        self,
        catalogue: Catalogue,
        transport: Transport,
        clock: Clock,
        ids: Ids,
        *,
        retries: bool,
        time_scale: float,
        agreed: Callable[[Subscription], None],
    ) -> None:
        self._catalogue = catalogue
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self.retries = retries
        """Whether an endpoint that refuses is asked again until it agrees."""
        self._time_scale = time_scale
        self._agreed = agreed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, Outcome] = {}

    def start(self, subscription: Subscription, base_url: str) -> Outcome:
        """Provision `subscription`, whose state is Creating or Updating; an earlier try for the same id ends."""
        self.stop(subscription)
        key, outcome = subscription.id.lower(), Outcome()
        self._outcomes[key] = outcome
        self._keep(key, asyncio.create_task(self._provision(subscription, base_url)))
        return outcome

    def resume(self, subscription: Subscription, base_url: str) -> None:
        """Go on after a restart with what was being provisioned or waited for the user."""
        if subscription.state is State.AWAITING_MANUAL_ACTION:
            self._keep(subscription.id.lower(), asyncio.create_task(self._await_hand(subscription)))
        elif subscription.state in (State.CREATING, State.UPDATING):
            self.start(subscription, base_url)

    def stop(self, subscription: Subscription) -> None:
        """Ask no more."""
        key = subscription.id.lower()
        if task := self._tasks.pop(key, None):
            task.cancel()
        if outcome := self._outcomes.pop(key, None):
            outcome.status, outcome.error = "Canceled", "another change of the subscription came first"

    async def close(self) -> None:
        """End all tasks."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._outcomes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def confirm(self, code: str) -> bool:
        """Somebody has opened the validation URL of `code`; False when it is unknown or too late."""
        for subscription in self._catalogue.subscriptions():
            validation = subscription.validation
            if validation is not None and validation.code == code and self._clock.now() < validation.until:
                if task := self._tasks.pop(subscription.id.lower(), None):
                    task.cancel()
                await self._succeed(subscription, None)
                return True
        return False

    def say_goodbye(self, subscription: Subscription) -> None:
        """Tell a webhook of the Event Grid schema that has agreed, once, that its subscription is deleted."""
        destination, schema = subscription.settings.destination, subscription.settings.schema
        if subscription.agreed and destination.kind == WEBHOOK and schema is not DeliverySchema.CLOUD_EVENT:
            data = {"eventSubscriptionId": subscription.id}
            event = _system_event(subscription, "SubscriptionDeletedEvent", data, self._ids.guid(), self._clock.now())
            notice = _posted(subscription, "SubscriptionDeletion", destination.url, event)
            self._keep(f"goodbye {subscription.id}", asyncio.create_task(self._send_only(notice)))

    async def _send_only(self, notice: Outgoing) -> None:
        await self._transport.send(notice)

    def _keep(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks[key] = task

        def forget(ended: asyncio.Task[None]) -> None:
            if self._tasks.get(key) is ended:
                del self._tasks[key]
            if not ended.cancelled() and (defect := ended.exception()):
                logger.error("the handshake %s broke", key, exc_info=defect)

        task.add_done_callback(forget)

    async def _provision(self, subscription: Subscription, base_url: str) -> None:
        if subscription.latest.settings.destination.to_azure:
            await self._succeed(subscription, None)
            return
        subscription.validation = Validation(self._ids.guid(), base_url, self._url_expires())
        await self._catalogue.put_subscription(subscription)
        judgement = await self._ask(subscription)
        while judgement.verdict is Verdict.REFUSED and self.retries:
            url = subscription.latest.settings.destination.url.partition("?")[0]
            logger.info("%s: no handshake with %s yet (%s); asking again", subscription.name, url, judgement.reason)
            await asyncio.sleep(limits.HANDSHAKE_RETRY_SECONDS)
            judgement = await self._ask(subscription)
        match judgement.verdict:
            case Verdict.AGREED:
                await self._succeed(subscription, judgement.rate)
            case Verdict.REFUSED:
                await self._fail(subscription, judgement.reason)
            case Verdict.BY_HAND:
                subscription.state, subscription.failure = State.AWAITING_MANUAL_ACTION, judgement.reason
                await self._catalogue.put_subscription(subscription)
                self._conclude(subscription, "Succeeded")
                await self._await_hand(subscription)

    async def _ask(self, subscription: Subscription) -> Judgement:
        validation = subscription.validation
        assert validation is not None
        subscription.validation = validation = replace(validation, until=self._url_expires())
        url = f"{validation.base_url}/eventsubscriptions/{subscription.name}/validate?id={validation.code}"
        asked = question(subscription, validation.code, url, self._ids.guid(), self._clock.now())
        return judge(await self._transport.send(asked), validation.code, subscription.latest.settings.schema)

    async def _await_hand(self, subscription: Subscription) -> None:
        assert subscription.validation is not None
        await self._clock.sleep_until(subscription.validation.until)
        await self._fail(subscription, "nobody opened the validation URL in time")

    def _url_expires(self) -> float:
        return self._clock.now() + limits.VALIDATION_URL_SECONDS * self._time_scale

    async def _succeed(self, subscription: Subscription, rate: float | None) -> None:
        """What was asked for holds from now on."""
        subscription.revision, subscription.wanted = subscription.latest, None
        subscription.agreed, subscription.rate = True, rate
        subscription.state, subscription.failure, subscription.validation = State.SUCCEEDED, "", None
        await self._catalogue.put_subscription(subscription)
        self._conclude(subscription, "Succeeded")
        self._agreed(subscription)

    async def _fail(self, subscription: Subscription, reason: str) -> None:
        """A new subscription has failed; one that was in force stays as it was before the update."""
        subscription.state = State.SUCCEEDED if subscription.agreed else State.FAILED
        subscription.wanted, subscription.validation, subscription.failure = None, None, reason
        await self._catalogue.put_subscription(subscription)
        self._conclude(subscription, "Failed", reason)
        if subscription.agreed:
            self._agreed(subscription)

    def _conclude(self, subscription: Subscription, status: Literal["Succeeded", "Failed"], error: str = "") -> None:
        logger.info("subscription %s is %s%s", subscription.name, subscription.state.value, error and f": {error}")
        if outcome := self._outcomes.pop(subscription.id.lower(), None):
            outcome.status, outcome.error = status, error


def _allowed_rate(text: str) -> float | None:
    """WebHook-Allowed-Rate: requests a minute, or `*`; what cannot be read is no promise to keep."""
    return float(text) if text.isdecimal() and int(text) > 0 else None


def _system_event(
    subscription: Subscription, kind: str, data: dict[str, Any], event_id: str, now: float
) -> dict[str, Any]:
    """An event by which Event Grid speaks for itself."""
    return {
        "id": event_id,
        "topic": subscription.topic_id,
        "subject": "",
        "data": data,
        "eventType": f"Microsoft.EventGrid.{kind}",
        "eventTime": service_time(now),
        "metadataVersion": "1",
        "dataVersion": "2",
    }


def _posted(subscription: Subscription, kind: str, url: str, event: dict[str, Any]) -> Outgoing:
    """The request that brings such an event to `url`."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": kind,
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": "0",
        "aeg-data-version": event["dataVersion"],
        "aeg-metadata-version": event["metadataVersion"],
    }
    return Outgoing("POST", url, headers, orjson.dumps([event]))
