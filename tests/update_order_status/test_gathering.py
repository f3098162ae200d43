"""Many callers, few requests."""

import asyncio
from typing import Any

import pytest

from update_order_status.gathering import Gathering


class Topic:
    """Takes requests when it is let; notes what came."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.open = asyncio.Event()
        self.failure: Exception | None = None

    async def post(self, documents: list[Any]) -> None:
        """Note, wait, fail if told to."""
        self.requests.append(documents)
        await self.open.wait()
        if self.failure:
            raise self.failure


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def _gathering(topic: Topic, *, bytes_max: int = 1000, wait_seconds_max: float = 60.0) -> Gathering:
    return Gathering(topic.post, bytes_max=bytes_max, wait_seconds_max=wait_seconds_max)


def _send(gathering: Gathering, number: int, size: int = 10) -> asyncio.Task[None]:
    return asyncio.create_task(gathering.send([{"n": number}], size))


async def test_who_is_alone_is_sent_at_once() -> None:
    """Nothing waits for company."""
    topic = Topic()
    sending = _send(_gathering(topic), 1)
    await _settle()
    assert topic.requests == [[{"n": 1}]]
    topic.open.set()
    await sending


async def test_what_comes_meanwhile_goes_together() -> None:
    """Five callers, two requests, in the order in which they came; each is told."""
    topic = Topic()
    gathering = _gathering(topic)
    sendings = [_send(gathering, number) for number in range(5)]
    await _settle()
    assert topic.requests == [[{"n": 0}]]
    topic.open.set()
    await asyncio.gather(*sendings)
    assert topic.requests == [[{"n": 0}], [{"n": number} for number in (1, 2, 3, 4)]]


async def test_a_slow_request_does_not_hold_the_others_up() -> None:
    """After their time they go, although it is still under way."""
    topic = Topic()
    gathering = _gathering(topic, wait_seconds_max=0.0)
    sendings = [_send(gathering, number) for number in range(3)]
    async with asyncio.timeout(5):
        while len(topic.requests) < 2:
            await asyncio.sleep(0)
    assert topic.requests == [[{"n": 0}], [{"n": 1}, {"n": 2}]]
    topic.open.set()
    await asyncio.gather(*sendings)


async def test_no_request_is_larger_than_allowed() -> None:
    """What does not fit goes in another."""
    topic = Topic()
    gathering = _gathering(topic, bytes_max=20)
    sendings = [_send(gathering, number) for number in range(6)]
    topic.open.set()
    await asyncio.gather(*sendings)
    assert [len(each) for each in topic.requests] == [1, 2, 2, 1]


async def test_a_failure_is_told_to_all_who_were_part_of_it() -> None:
    """And to nobody else."""
    topic = Topic()
    gathering = _gathering(topic)
    first = _send(gathering, 0)
    await _settle()
    others = [_send(gathering, number) for number in (1, 2)]
    topic.open.set()
    await first
    topic.failure = ConnectionError("gone")
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [str(each) for each in outcomes] == ["gone", "gone"]
    topic.failure = None
    await _send(gathering, 3)


async def test_who_stops_waiting_takes_his_documents_back() -> None:
    """Unless they are under way; and the request goes on for the others."""
    topic = Topic()
    gathering = _gathering(topic)
    first, second, third = (_send(gathering, number) for number in range(3))
    await _settle()
    first.cancel()
    second.cancel()
    await _settle()
    topic.open.set()
    await third
    assert topic.requests == [[{"n": 0}], [{"n": 2}]]
    with pytest.raises(asyncio.CancelledError):
        await first
