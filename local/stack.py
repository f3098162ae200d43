"""The whole stack as one thing: which processes with which flags and settings, started together and provisioned.

`up`, `demo`, the journeys in tests/ and whoever wants a real stack in a program use `running_stack`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from azure.core.exceptions import AzureError

from emulators.base.tls import authority_directory, certificate_file, local_authority
from emulators.cosmos.account import WELL_KNOWN_KEY as COSMOS_KEY
from emulators.eventgrid.auth import DEVELOPMENT_KEY as EVENTGRID_KEY
from local import azurite
from local.azurite import StorageAddress
from local.environment import ROOT
from local.provision import (
    ProvisioningFailed,
    provision_cosmos,
    provision_eventgrid,
    provision_faults,
    provision_storage,
    until_subscribed,
)
from local.state import StackState, data_lock
from local.supervisor import Service, Supervisor
from local.topology import Topology, read_topology

WEBHOOK_KEY = "eventgrid_extension"
"""The name of the system key that the host's Event Grid webhook demands."""
SERVICES = ("azurite", "cosmos", "eventgrid", "functions")
STOP_ORDER = ["functions", "eventgrid", "cosmos", "azurite"]
"""No function may run when its stores have gone."""
PROVISION_AGAIN_SECONDS, PROVISION_AGAIN_SECONDS_MAX = 0.5, 20.0
"""How often and how long what a restarted service has to hold is made again when that fails."""
FREE_PORTS = range(20000, 30000)
"""Below every system's range for outgoing connections, so that a port found free stays free until it is bound."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each service listens on 127.0.0.1."""

    cosmos: int = 8081
    eventgrid: int = 6500
    functions: int = 7071
    blob: int = 10000
    queue: int = 10001
    table: int = 10002

    def of(self, service: str) -> tuple[int, ...]:
        """The ports of one service."""
        return (self.blob, self.queue, self.table) if service == "azurite" else (getattr(self, service),)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run the stack."""

    data: Path
    fresh: bool = False
    ports: Ports = field(default_factory=Ports)
    without: frozenset[str] = frozenset()
    enable_auth: bool = False
    https: bool = False
    quiet: bool = False
    app: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the app's settings have besides."""
    debug: bool = False
    topology: Topology = field(default_factory=read_topology)
    """What is provisioned."""


@dataclass(slots=True)
class Stack:
    """A running stack: its addresses and keys, how long each part took, and its processes."""

    options: Options
    supervisor: Supervisor
    seconds: dict[str, float] = field(default_factory=dict)
    webhook_key: str | None = None
    function_key: str | None = None

    @property
    def topology(self) -> Topology:
        """What is provisioned in it."""
        return self.options.topology

    @property
    def storage(self) -> StorageAddress:
        """Where Azurite listens."""
        ports = self.options.ports
        return StorageAddress(ports.blob, ports.queue, ports.table)

    def url(self, service: str) -> str:
        """The address of `cosmos`, `eventgrid` or `functions`."""
        return f"{'https' if self.options.https else 'http'}://127.0.0.1:{getattr(self.options.ports, service)}"

    def settings(self) -> dict[str, str]:
        """The app's settings that point at this stack, whatever local.settings.json says."""
        here = {
            "cosmos": {"CosmosDBConnection": f"AccountEndpoint={self.url('cosmos')}/;AccountKey={COSMOS_KEY}"},
            "eventgrid": {
                "EventGridTopicEndpoint": f"{self.url('eventgrid')}/{self.topology.topic}/api/events",
                "EventGridTopicKey": EVENTGRID_KEY,
            },
            "azurite": {"AzureWebJobsStorage": self.storage.connection_string},
        }
        running = (settings for service, settings in here.items() if service not in self.options.without)
        return {**self.topology.settings, **{name: value for each in running for name, value in each.items()}}


@contextlib.asynccontextmanager
async def running_stack(options: Options) -> AsyncIterator[Stack]:
    """Start all services together, provision, yield the stack, stop it in order.

    Raises ServiceFailed, ProvisioningFailed or DataInUse; nothing is left running then.
    """
    with data_lock(options.data):
        if options.fresh:
            for service in SERVICES:
                shutil.rmtree(options.data / service, ignore_errors=True)
        if options.https:
            local_authority(authority_directory())
        stack = Stack(options, Supervisor(quiet=options.quiet))
        stack.supervisor.restarted = lambda name: _restarted(stack, name)
        try:
            await _start(stack)
            _write_state(stack)
            yield stack
        finally:
            StackState.file(options.data).unlink(missing_ok=True)
            await stack.supervisor.stop(STOP_ORDER)


async def _start(stack: Stack) -> None:
    services = [service for service in _services(stack) if service.name not in stack.options.without]
    keys_known = asyncio.Event()
    if "functions" in stack.options.without or not stack.options.enable_auth:
        keys_known.set()

    async def bring_up(service: Service) -> None:
        stack.seconds[service.name] = await stack.supervisor.start(service)
        if service.name == "functions":
            _learn_keys(stack)
            keys_known.set()
        elif service.name == "eventgrid":
            await keys_known.wait()  # the subscription's endpoint carries the host's system key
        await _provision(stack, service.name)

    try:
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(bring_up(service))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if not {"functions", "eventgrid"} & stack.options.without:
        began = time.perf_counter()
        await until_subscribed(stack.url("eventgrid"), stack.topology)
        stack.seconds["handshake"] = time.perf_counter() - began


async def _restarted(stack: Stack, name: str) -> None:
    """Provision again; what fails is tried again for a while, since whatever made the service die may not be over."""
    deadline = time.monotonic() + PROVISION_AGAIN_SECONDS_MAX
    while True:
        try:
            await _provision(stack, name)
            break
        except (ProvisioningFailed, AzureError, aiohttp.ClientError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PROVISION_AGAIN_SECONDS)
    _write_state(stack)


def _learn_keys(stack: Stack) -> None:
    """Read the keys that the host made for itself; it keeps them as the real one does, in files when told so."""
    if not stack.options.enable_auth:
        return
    keys = json.loads((_secrets(stack.options) / "host.json").read_text(encoding="utf-8"))
    stack.function_key = next(each["value"] for each in keys["functionKeys"] if each["name"] == "default")
    stack.webhook_key = next(each["value"] for each in keys["systemKeys"] if each["name"] == WEBHOOK_KEY)


def _secrets(options: Options) -> Path:
    return options.data / "functions" / "secrets"


def _write_state(stack: Stack) -> None:
    running = [name for name in SERVICES if name not in stack.options.without]
    StackState(
        urls={name: stack.url(name) for name in running if name != "azurite"},
        settings=stack.settings(),
        processes={name: stack.supervisor.process_id(name) for name in running},
        function_key=stack.function_key,
        webhook_key=stack.webhook_key,
    ).write(StackState.file(stack.options.data))


async def _provision(stack: Stack, service: str) -> None:
    """Make what `service` has to hold; again after a restart, since Azurite may have forgotten its last seconds."""
    began = time.perf_counter()
    match service:
        case "cosmos":
            await provision_cosmos(stack.url("cosmos"), COSMOS_KEY, stack.topology)
        case "eventgrid":
            await provision_eventgrid(
                stack.url("eventgrid"),
                stack.topology,
                functions_url=stack.url("functions"),
                webhook_key=stack.webhook_key,
            )
        case "azurite":
            await provision_storage(stack.storage.connection_string, stack.topology)
    if service != "azurite":
        await provision_faults(stack.url(service), service, stack.topology)
    stack.seconds[f"{service} provisioned"] = time.perf_counter() - began


def _services(stack: Stack) -> list[Service]:
    options, ports = stack.options, stack.options.ports
    heard = azurite.Announcement()
    common = ["--exit-when-stdin-closes", *(["--https"] if options.https else [])]
    trust = {"SSL_CERT_FILE": str(certificate_file(authority_directory()))} if options.https else {}

    def emulator(name: str, port: int, *flags: str) -> Service:
        where = ["--port", str(port), "--data", str(options.data / name)]
        return Service(name, [sys.executable, "-m", f"emulators.{name}", *where, *common, *flags], _says_ready, trust)

    return [
        Service(
            "azurite",
            azurite.command(stack.storage, options.data / "azurite"),
            heard.hear,
            is_chatter=azurite.is_chatter,
        ),
        emulator("cosmos", ports.cosmos),
        emulator(
            "eventgrid",
            ports.eventgrid,
            *("--retry-handshakes", "--storage", stack.storage.connection_string),
        ),
        _functions_host(stack, trust),
    ]


def _functions_host(stack: Stack, trust: Mapping[str, str]) -> Service:
    options = stack.options
    command = [sys.executable, "-m", "emulators.functions_host", "start", "--port", str(options.ports.functions)]
    command += ["--exit-when-stdin-closes"]
    command += ["--useHttps"] if options.https else []
    command += ["--enableAuth"] if options.enable_auth else []
    command += ["--language-worker", "-m debugpy --listen 127.0.0.1:9091"] if options.debug else []
    written = app_settings(options.app)
    # Only what differs from local.settings.json: the environment wins over it, and says so line by line.
    differing = {name: value for name, value in stack.settings().items() if written.get(name) != value}
    if options.enable_auth:
        differing |= {"AzureWebJobsSecretStorageType": "files", "FUNCTIONS_SECRETS_PATH": str(_secrets(options))}
    return Service("functions", command, _says_ready, {**trust, **differing, **options.environment}, options.app)


def app_settings(app: Path) -> dict[str, str]:
    """The values of an app's local.settings.json, or none when it has no such file."""
    try:
        document = json.loads((app / "local.settings.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: str(value) for name, value in document.get("Values", {}).items()}


def _says_ready(line: str) -> bool:
    return line.startswith("ready http")


def free_ports() -> Ports:
    """Ports that nobody listens on, for stacks that live beside others."""
    found: list[int] = []
    while len(found) < 6:
        port = secrets.choice(FREE_PORTS)
        if port not in found and is_free(port):
            found.append(port)
    return Ports(*found)


def is_free(port: int) -> bool:
    """Whether one can listen on `port` of 127.0.0.1 now."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
