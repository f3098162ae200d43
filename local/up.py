"""`python -m local up`: the whole stack in the foreground, with one log stream, until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
import time

from rich.console import Console

from emulators.base.serving import stop_signals
from emulators.base.tls import authority_directory, certificate_file, trust_line
from emulators.cosmos.account import WELL_KNOWN_KEY as COSMOS_KEY
from emulators.eventgrid.auth import DEVELOPMENT_KEY as EVENTGRID_KEY
from local import azurite
from local.stack import SERVICES, Options, Ports, Stack, is_free, running_stack
from local.state import StackState

PORT_GRACE_SECONDS = 5
"""After a kill -9 of `up` its services end by themselves; a new `up` waits this long for their ports."""


class PortsTaken(Exception):
    """Some ports are in use. The text names each with its flag."""


async def up(options: Options, began: float) -> None:
    """Run the stack until SIGINT or SIGTERM. Raises what keeps it from starting or from going on."""
    await _demand_ports(options)
    stop = asyncio.Event()
    with stop_signals(stop):
        await _run(options, stop, began)


async def _run(options: Options, stop: asyncio.Event, began: float) -> None:
    async with running_stack(options) as stack:
        _tell(stack, time.perf_counter() - began)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((stopped, stack.supervisor.failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stack.supervisor.failed.done():
            stack.supervisor.failed.result()
        print("\nstopping …", flush=True)


async def _demand_ports(options: Options) -> None:
    crashed = StackState.read(options.data) is not None
    deadline = time.monotonic() + (PORT_GRACE_SECONDS if crashed else 0)
    while taken := _taken(options.ports, options.without):
        if time.monotonic() >= deadline:
            lines = "\n".join(f"  {port:>5}  {service:<9}  choose another with {flag}" for port, service, flag in taken)
            raise PortsTaken(f"These ports are in use; stop what uses them or move:\n{lines}\n(--free-ports moves all)")
        await asyncio.sleep(0.1)


def _taken(ports: Ports, without: frozenset[str]) -> list[tuple[int, str, str]]:
    names = {"azurite": ("blob", "queue", "table")}
    return [
        (port, service, f"--{name}-port N")
        for service in SERVICES
        if service not in without
        for name, port in zip(names.get(service, (service,)), ports.of(service), strict=True)
        if not is_free(port)
    ]


def _tell(stack: Stack, seconds: float) -> None:
    console = Console(soft_wrap=True, highlight=False)
    rows = {
        "azurite": (stack.storage.blob_url, azurite.ACCOUNT_KEY),
        "cosmos": (stack.url("cosmos"), COSMOS_KEY),
        "eventgrid": (f"{stack.url('eventgrid')}/{stack.topology.topic}/api/events", EVENTGRID_KEY),
        "functions": (
            stack.url("functions"),
            stack.function_key or "none needed (as with func start; see --enable-auth)",
        ),
    }
    # No table library here: a key has to stay on one line, whatever the terminal's width, to be copied.
    width = max(len(address) for address, _ in rows.values())
    console.print(f"\n[bold]{'service':<10} {'address':<{width}}  key[/bold]")
    for service, (address, key) in rows.items():
        if service not in stack.options.without:
            console.print(f"{service:<10} {address:<{width}}  {key}")
    if stack.options.https:
        console.print(f"\nTrust this machine's authority: {trust_line(authority_directory())}")
    if "functions" in stack.options.without:
        console.print(f"\nThe event subscription waits for a function host at {stack.url('functions')} (func start).")
    parts = " · ".join(f"{name} {took:.1f}" for name, took in stack.seconds.items())
    console.print(f"\nready in {seconds:.1f} s  ({parts})")
    if "functions" not in stack.options.without:
        console.print("Paste this into another terminal:\n")
        console.print(f"  {curl(stack)}")
        console.print(f"  curl {_curl_options(stack)}{stack.url('functions')}/api/orders/order-1\n")
    sys.stdout.flush()


def curl(stack: Stack) -> str:
    """The line that posts a first order status."""
    return (
        f"curl -i {_curl_options(stack)}{stack.url('functions')}/api/UpdateOrderStatus"
        """ -H 'content-type: application/json' -d '{"orderId": "order-1", "status": "created"}'"""
    )


def _curl_options(stack: Stack) -> str:
    trust = f"--cacert {certificate_file(authority_directory())} " if stack.options.https else ""
    key = f"-H 'x-functions-key: {stack.function_key}' " if stack.function_key else ""
    return trust + key
