"""`rebuild`: the other generation made anew beside live traffic, wherever it is killed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from azure.cosmos.exceptions import CosmosHttpResponseError

from operations.errors import CommandFailed
from operations.rebuilding import STEPS, NotTheSame
from tests.operations.operator import LIFE, later, live, operate
from tests.operations.spoiling import container
from tests.order_service import Service, body
from update_order_status.errors import StoreUnavailable as WriteStoreUnavailable
from update_order_status_read_model.errors import StoreUnavailable


def generations(service: Service) -> tuple[int, list[int]]:
    """What the pointer says."""
    (pointer,) = [each for each in service.documents("orders-parked") if each["type"] == "generations"]
    return pointer["read"], pointer["written"]


async def fill(service: Service, orders: int = 6) -> None:
    """Orders at different points of their lives, projected."""
    await asyncio.gather(*(live(service, f"o-{number}", LIFE[: 1 + number % 4]) for number in range(orders)))


async def test_queries_read_the_new_generation_and_it_is_the_same(service: Service) -> None:
    """After a rebuild queries read the other generation, which agrees with the write side; the next goes back again."""
    await fill(service)
    for read in (2, 1):
        outcome = await operate(service, "rebuild")
        assert (outcome.exit_code, outcome.document["read"], outcome.document["written"]) == (0, read, [read])
        assert outcome.document["ordersCopied"] == 6
        verified = await operate(service, "verify")
        assert (verified.document["generation"], verified.document["same"]) == (read, 6)
        assert body(await service.get("orders/o-3"))["version"] == 4
        assert len(body(await service.get("orders/o-3/history"))["steps"]) == 4
    assert [each for each in service.documents("orders-parked") if each["type"] == "rebuild"] == []


async def test_a_rebuild_needs_no_more_than_data_roles(service: Service) -> None:
    """Whatever it writes are documents: an Entra data role may not make, change or delete containers."""
    await fill(service, 2)
    service.stack.calls.clear()
    await operate(service, "rebuild")
    await operate(service, "rebuild", "--empty-old")
    writes = [path for method, path in service.stack.calls if method != "GET"]
    assert len(writes) > 20
    assert [path for path in writes if "/docs/" not in path] == []


async def test_a_rebuild_heals_what_repair_can_not(service: Service) -> None:
    """Views and steps that no event explains are not in the new generation."""
    await fill(service, 2)
    read = container(service, "orders-read-1")
    view = read.read_item("o-1", partition_key="o-1")
    read.create_item({**view, "id": "o-x", "orderId": "o-x"})
    read.replace_item("o-1", {**view, "version": 99})
    assert (await operate(service, "verify", "--repair")).exit_code == 1
    assert (await operate(service, "rebuild")).exit_code == 0
    assert (await operate(service, "verify")).document["same"] == 2


async def test_what_was_left_in_the_other_generation_is_gone(service: Service) -> None:
    """The target is emptied first, whatever it held; --empty-old frees the generation that is not read."""
    await fill(service, 3)
    container(service, "orders-read-2").create_item({"id": "o-old", "orderId": "o-old", "type": "view", "version": 1})
    assert (await operate(service, "rebuild")).exit_code == 0
    assert len(service.documents("orders-read-1")) > 0
    assert (await operate(service, "rebuild", "--empty-old")).exit_code == 0
    assert service.documents("orders-read-1") == []
    assert (await operate(service, "verify")).document["same"] == 3


async def test_the_copy_waits_until_every_process_has_seen_the_pointer(service: Service) -> None:
    """Every change of the pointer is followed by a pause longer than a process trusts what it knows of it."""
    service.settings["OrdersGenerationsCacheSeconds"] = "7"
    await operate(service, "rebuild")
    assert service.time.slept == [14, 14, 14]


@pytest.mark.parametrize(
    ("cut", "every", "steps"),
    [({"status": 400}, 4, {step.name for step in STEPS}), ({"drop": "after"}, 11, {"copy"})],
    ids=["undone", "done with its answer lost"],
)
async def test_a_rebuild_killed_anywhere_is_finished_by_the_next(
    service: Service, cut: dict[str, Any], every: int, steps: set[str]
) -> None:
    """Cut off at one call to the store after another, the next run ends among traffic, and nothing differs."""
    await fill(service, 3)
    cut_at = set()
    for call in range(0, 100, every):
        service.fault("cosmos", cut, {"operation": "*"}, skip=call, times=100_000)
        with suppress(StoreUnavailable, WriteStoreUnavailable, CosmosHttpResponseError, ExceptionGroup):
            await operate(service, "rebuild", attempts_max=1)
            break  # it ended before that call
        service.stack.clear_faults()
        cut_at |= {each["step"] for each in service.documents("orders-parked") if each["type"] == "rebuild"}
        await live(service, f"o-new-{call}", LIFE[:1])
        outcome = await operate(service, "rebuild", "--take-over")
        assert outcome.document["verification"] is None or outcome.document["verification"]["diverged"] == 0
    else:
        pytest.fail("a hundred calls were not enough")
    assert cut_at >= steps
    service.stack.clear_faults()
    verified = await operate(service, "verify")
    assert verified.document["same"] == verified.document["orders"] > 3


async def test_a_generation_that_is_not_the_same_is_not_read(service: Service) -> None:
    """An order that this code cannot read stops the rebuild before the switch; once it can, the rebuild goes on."""
    await fill(service, 2)
    write = container(service, "orders-write")
    order = write.read_item("o-1", partition_key="o-1")
    write.replace_item("o-1", {**order, "dataVersion": "9.0"})
    with pytest.raises(NotTheSame, match="verify --generation 2"):
        await operate(service, "rebuild")
    assert generations(service) == (1, [1, 2])
    with pytest.raises(CommandFailed, match="at the step 'verify'"):
        await operate(service, "rebuild", "--empty-old")
    write.replace_item("o-1", order)
    assert (await operate(service, "rebuild", "--take-over")).document["resumed"] is True
    assert generations(service) == (2, [2])


async def test_two_rebuilds_do_not_mix(service: Service) -> None:
    """While one holds the journal another is refused; after its lease has lapsed it is gone on with."""
    await fill(service, 2)
    service.fault("cosmos", {"drop": "before"}, {"operation": "*", "container": "orders-read-2"}, times=100000)
    with pytest.raises(StoreUnavailable):
        await operate(service, "rebuild", attempts_max=1)
    service.stack.clear_faults()
    with pytest.raises(CommandFailed, match="--take-over"):
        await operate(service, "rebuild")
    planned = await operate(service, "rebuild", "--dry-run")
    assert planned.document["resumed"] is True
    later(service)
    assert (await operate(service, "rebuild")).document["resumed"] is True
