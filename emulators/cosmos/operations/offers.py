"""Offers: how much throughput a database or container has bought, fixed or autoscaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import apsw
import orjson

from emulators.base.serving import Response
from emulators.cosmos import charges, errors, limits
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.errors import Refused
from emulators.cosmos.resources import check_match, page_of, query_of
from emulators.cosmos.store.catalog import Catalog, Resource
from emulators.cosmos.wire import Call, answer, resource_headers

DEFAULT: Mapping[str, Any] = {"offerThroughput": limits.THROUGHPUT_MIN}
"""What a container gets that neither says nor shares."""


async def read(call: Call) -> Response:
    """GET offers/R."""
    found = call.resource()
    await call.account.store.database.settled()
    return answer(call, 200, orjson.dumps(found.body), charge=charges.METADATA, headers=_headers(found))


async def list_all(call: Call) -> Response:
    """GET offers."""
    return await page_of(call, "offers", None)


async def query(call: Call) -> Response:
    """POST offers with a query."""
    return await query_of(call, "offers", None)


async def replace(call: Call) -> Response:
    """PUT offers/R: another throughput, or a change between fixed and autoscaled."""
    found = call.resource()
    check_match(call, found)
    asked = call.json_object().get("content")
    if not isinstance(asked, dict):
        raise Refused(errors.BAD_REQUEST)
    old = found.body["content"]
    if call.flag("x-ms-cosmos-migrate-offer-to-autopilot"):
        chosen = autoscale({"maxThroughput": max(limits.AUTOSCALE_MIN, _round_up(old["offerThroughput"]))})
    elif call.flag("x-ms-cosmos-migrate-offer-to-manual-throughput"):
        if "offerAutopilotSettings" not in old:
            raise Refused(errors.BAD_REQUEST, "The throughput is fixed already.")
        chosen = manual(old["offerAutopilotSettings"]["maxThroughput"])
    elif "offerAutopilotSettings" in old:
        chosen = autoscale(asked.get("offerAutopilotSettings"))
    elif asked.get("offerAutopilotSettings"):
        raise Refused(errors.BAD_REQUEST, "A fixed throughput becomes autoscaled by migration only.")
    else:
        chosen = manual(asked.get("offerThroughput"))
    catalog = call.account.store.catalog

    def work(_: apsw.Connection) -> Response:
        changed = catalog.replace(found, {**found.body, "content": content(chosen, old)})
        return answer(call, 200, orjson.dumps(changed.body), charge=charges.METADATA_WRITE, headers=_headers(changed))

    return await call.account.store.change_catalog(work)


def parse_throughput(call: Call) -> Mapping[str, Any] | None:
    """What the headers of a create ask for, None when they do not say. Raises Refused."""
    fixed, scaled = call.header("x-ms-offer-throughput"), call.header("x-ms-cosmos-offer-autopilot-settings")
    if fixed and scaled:
        raise Refused(errors.BAD_REQUEST, "Fixed and autoscale throughput cannot both be specified.")
    if fixed:
        return manual(whole_number(fixed))
    if scaled:
        try:
            return autoscale(orjson.loads(scaled))
        except orjson.JSONDecodeError:
            raise Refused(errors.BAD_HEADER, "x-ms-cosmos-offer-autopilot-settings must be JSON.") from None
    return None


def manual(throughput: object) -> Mapping[str, Any]:
    """A fixed throughput. Raises Refused."""
    low, high, step = limits.THROUGHPUT_MIN, limits.THROUGHPUT_MAX, limits.THROUGHPUT_STEP
    _check_minimum(throughput, low)
    if not _is_step(throughput, low, high, step):
        raise Refused(
            errors.BAD_REQUEST,
            f"The offer should have valid throughput values between {low} and {high} inclusive in increments of "
            f"{step}.",
        )
    return {"offerThroughput": throughput}


def autoscale(settings: object) -> Mapping[str, Any]:
    """An autoscaled throughput. Raises Refused."""
    asked = settings if isinstance(settings, dict) else {}
    low, high, step = limits.AUTOSCALE_MIN, limits.THROUGHPUT_MAX, limits.AUTOSCALE_STEP
    most = asked.get("maxThroughput")
    _check_minimum(most, low)
    if not _is_step(most, low, high, step):
        raise Refused(
            errors.BAD_REQUEST,
            f"Autoscale max throughput must be between {low} and {high} inclusive in increments of {step}.",
        )
    policy = {"autoUpgradePolicy": asked["autoUpgradePolicy"]} if asked.get("autoUpgradePolicy") else {}
    return {
        "offerThroughput": int(most * limits.AUTOSCALE_FLOOR),
        "offerAutopilotSettings": {"maxThroughput": most, **policy},
    }


def highest(chosen: Mapping[str, Any] | None) -> int:
    """The most RU/s that a throughput can reach."""
    chosen = chosen or DEFAULT
    return int(chosen.get("offerAutopilotSettings", {}).get("maxThroughput", chosen["offerThroughput"]))


def content(chosen: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An offer's content for a throughput; it remembers the highest it ever was."""
    ever = old["offerMinimumThroughputParameters"]["maxThroughputEverProvisioned"] if old else 0
    return {
        **chosen,
        "offerIsRUPerMinuteThroughputEnabled": False,
        "offerMinimumThroughputParameters": {
            "maxThroughputEverProvisioned": max(ever, highest(chosen)),
            "maxConsumedStorageEverInKB": 0,
        },
    }


def add_offer(catalog: Catalog, owner: Resource, chosen: Mapping[str, Any]) -> None:
    """Give `owner` an offer."""
    body = {
        "offerVersion": "V2",
        "offerType": "Invalid",
        "content": content(chosen),
        "resource": f"{owner.link}/",
        "offerResourceId": owner.rid,
    }
    catalog.add("offers", None, owner.rid, body)


def offer_of(catalog: Catalog, owner: Resource) -> Resource | None:
    """The offer of a database or container."""
    return catalog.find("offers", "", owner.rid)


def provisioned(catalog: Catalog, container: Resource) -> tuple[str, int]:
    """(rid of what bought it, RU/s) of the throughput that a container draws on: its own, else its database's."""
    offer = offer_of(catalog, container)
    owner = container.rid
    if offer is None:
        database = catalog.by_rid(container.parent)
        offer = offer_of(catalog, database) if database else None
        owner = container.parent
    return owner, highest(offer.body["content"] if offer else None)


def remove_offer(catalog: Catalog, owner: Resource) -> None:
    """Drop the offer of `owner`, if it has one."""
    if offer := offer_of(catalog, owner):
        catalog.remove(offer)


def _headers(offer: Resource) -> dict[str, str]:
    ever = offer.body["content"]["offerMinimumThroughputParameters"]["maxThroughputEverProvisioned"]
    scaled = "offerAutopilotSettings" in offer.body["content"]
    least = max(limits.AUTOSCALE_MIN if scaled else limits.THROUGHPUT_MIN, ever // 100)
    return {
        **resource_headers(offer),
        "x-ms-cosmos-min-throughput": str(least),
        "x-ms-offer-replace-pending": "false",
    }


def _check_minimum(value: object, low: int) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and value < low:
        raise Refused(
            errors.BAD_REQUEST, f"Requested throughput {value} is less than required minimum throughput {low}."
        )


def _is_step(value: object, low: int, high: int, step: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high and not value % step


def _round_up(throughput: int) -> int:
    return -(-throughput // limits.AUTOSCALE_STEP) * limits.AUTOSCALE_STEP
