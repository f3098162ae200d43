"""The verbs that talk to a stack: demo starts its own, the others find the running one by the state beside its data,
and replay takes any deployment too."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from rich.console import Console

from emulators.base.control import CONTROL_HEADER
from emulators.cosmos.account import WELL_KNOWN_KEY as COSMOS_KEY
from local.client import OrderService
from local.deployment import Deployment
from local.environment import ROOT
from local.kills import KillingService
from local.orders_file import read_orders
from local.provision import provision_cosmos, provision_eventgrid
from local.replay import replay, tell
from local.stack import app_settings
from local.state import StackState
from local.topology import read_topology
from local.trust import trusted

POLL_SECONDS = 0.1
SEEDS = (
    ("order-1", ("created", "approved", "invoiced", "shipped", "delivered")),
    ("order-2", ("created", "approved", "shipped")),
    ("order-3", ("created", "canceled")),
    ("order-4", ("created", "approved", "unavailable", "canceled")),
    ("order-5", ("created",)),
)


class NotRunning(Exception):
    """There is no ready stack to talk to. The text says how to start one."""


async def run_replay(parsed: argparse.Namespace) -> int:
    """Replay a file through the running stack, or through the deployment at `--url`."""
    if parsed.url:
        return await _replay_elsewhere(parsed)
    state = _running(parsed.data)
    orders = read_orders(parsed.file, orders_max=parsed.orders)
    console = Console(stderr=parsed.json)
    settings = app_settings(ROOT) | state.settings
    kill = (parsed.data, sum(map(len, orders.values()))) if parsed.kill else None
    async with _service(state, parsed.concurrency + 8, kill=kill) as service:
        report = await replay(orders, service, settings, concurrency=parsed.concurrency, console=console)
    return tell(report, as_json=parsed.json, console=console)


async def _replay_elsewhere(parsed: argparse.Namespace) -> int:
    if parsed.kill:
        raise NotRunning("--kill kills processes of this machine's stack: leave it out, or leave out --url.")
    orders = read_orders(parsed.file, orders_max=parsed.orders)
    deployment = Deployment.read(parsed.url, parsed.views_url, parsed.settings, os.environ)
    console = Console(stderr=parsed.json)
    async with deployment.service(parsed.concurrency + 8) as service:
        report = await replay(orders, service, deployment.settings, concurrency=parsed.concurrency, console=console)
    return tell(report, as_json=parsed.json, console=console)


async def run_seed(parsed: argparse.Namespace) -> int:
    """A few orders; run again, they are recognised by their keys."""
    async with _service(_running(parsed.data), 8) as service:
        for order_id, statuses in SEEDS:
            for status in statuses:
                answer = await service.update(order_id, status, idempotency_key=f"seed-{status}")
                print(f"{order_id} {status}: {answer.status}")
                if answer.status not in (200, 201):
                    print(json.dumps(answer.body), file=sys.stderr)
                    return 1
    return 0


async def run_reset(parsed: argparse.Namespace) -> int:
    """Empty the running stack, then make its databases, containers, topic and subscriptions anew."""
    state = _running(parsed.data)
    async with aiohttp.ClientSession(headers={CONTROL_HEADER: "1"}) as session:
        for name, url in state.urls.items():
            prefix = "/admin/emulator" if name == "functions" else "/_emulator"
            async with session.post(f"{url}{prefix}/reset", ssl=trusted(url) or True) as answer:
                answer.raise_for_status()
    topology = read_topology()
    if cosmos := state.urls.get("cosmos"):
        await provision_cosmos(cosmos, COSMOS_KEY, topology)
    if eventgrid := state.urls.get("eventgrid"):
        functions_url = state.urls.get("functions", "http://127.0.0.1:7071")
        await provision_eventgrid(eventgrid, topology, functions_url=functions_url, webhook_key=state.webhook_key)
    print(f"emptied and provisioned again: {', '.join(state.urls)}")
    return 0


async def run_wait(parsed: argparse.Namespace) -> int:
    """0 as soon as the stack is provisioned and every service answers; 1 after the timeout."""
    deadline = time.monotonic() + parsed.timeout
    while time.monotonic() < deadline:
        state = StackState.read(parsed.data)
        if state is not None and await _all_answer(state.urls):
            print(" ".join(f"{name}={url}" for name, url in state.urls.items()))
            return 0
        await asyncio.sleep(POLL_SECONDS)
    print(f"no stack on {parsed.data} was ready within {parsed.timeout} s", file=sys.stderr)
    return 1


async def _all_answer(urls: Mapping[str, str]) -> bool:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        for name, url in urls.items():
            path = "/admin/emulator/health" if name == "functions" else "/_emulator/health"
            try:
                async with session.get(url + path, ssl=trusted(url) or True) as answer:
                    if answer.status != 200:
                        return False
            except (aiohttp.ClientError, TimeoutError):
                return False
    return True


def _running(data: Path) -> StackState:
    state = StackState.read(data)
    if state is None:
        raise NotRunning(f"No stack is ready on {data}. Start one with `python -m local up` in another terminal.")
    return state


def _service(state: StackState, connections: int, *, kill: tuple[Path, int] | None = None) -> OrderService:
    """A client; with `kill`, the stack's data and how many commands there will be, one that kills its services."""
    url = state.urls.get("functions", "http://127.0.0.1:7071")
    if kill is not None:
        return KillingService(url, *kill, key=state.function_key, trusted=trusted(url), connections=connections)
    return OrderService(url, key=state.function_key, trusted=trusted(url), connections=connections)
