"""The blob trigger: a function that runs on each blob of a container that is new or has changed.

A blob is noticed by listing the container (or, with source EventGrid, by an event), noted in a receipt, put into the
host's own queue and handled from there: five tries, then `webjobs-blobtrigger-poison`. Names and forms of receipts and
messages are the storage extension's, so that hosts share them. Storage logs, its other way to notice, are not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from emulators.base.clock import Clock
from emulators.functions_host.bindings.blob import blob_datum, client_datum, download, split_path
from emulators.functions_host.bindings.queue import encoded
from emulators.functions_host.connections import StorageConnection, storage_connection
from emulators.functions_host.console import Console
from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding, Function
from emulators.functions_host.invocation import Call, Invoker
from emulators.functions_host.limits import BLOB_SCAN_BLOBS_MAX, BLOB_SCAN_SECONDS
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.storage import HOSTS_CONTAINER
from emulators.functions_host.triggers.queue import reach
from emulators.functions_host.triggers.queue_options import QueueOptions
from emulators.functions_host.triggers.queue_poller import Message, QueuePoller

TYPE = "blobtrigger"
POISON_QUEUE = "webjobs-blobtrigger-poison"
CREATED = frozenset({"Microsoft.Storage.BlobCreated"})
INCOMPLETE = {"Incomplete": "Incomplete"}
"""Metadata of a receipt whose message is not in the queue yet."""
PARAMETER = re.compile(r"\{([^{}]+)\}")


def check(binding: Binding, settings: Settings) -> StorageConnection:
    """The account of a blob trigger. Raises FunctionInError for one that cannot work."""
    pattern_of(binding.text("path"))
    source = binding.text("source", "LogsAndContainerScan").lower()
    if source not in ("eventgrid", "logsandcontainerscan"):
        raise FunctionInError(f"The blob trigger's source '{source}' is not one of EventGrid, LogsAndContainerScan.")
    return storage_connection(settings, binding.text("connection"))


def pattern_of(path: str) -> re.Pattern[str]:
    """What a blob's path must look like, with a group for each `{name}` in the trigger's path. Pure.

    A path without a slash means every blob of that container. Raises FunctionInError.
    """
    container, slash, name = path.partition("/")
    if not container or (slash and not name) or "\\" in container:
        raise FunctionInError(f"Invalid blob trigger path '{path}'. Paths must be in the format 'container/blob'.")
    if "{" in container:
        raise FunctionInError(f"Invalid blob trigger path '{path}'. Container paths cannot contain {{resolve}} tokens.")
    if not slash:
        return re.compile(f"{re.escape(container)}/.+", re.DOTALL)
    parts = PARAMETER.split(path)
    seen: set[str] = set()
    regex = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            regex += re.escape(part)
        elif part in seen:
            regex += f"(?P={part})"
        elif part.isidentifier():
            seen.add(part)
            regex += f"(?P<{part}>.*)"
        else:
            raise FunctionInError(f"'{{{part}}}' in the blob path '{path}' is not a name.")
    return re.compile(regex, re.DOTALL)


class BlobListener:
    """Notices and handles blobs for one function."""

    def __init__(
        self,
        function: Function,
        connection: StorageConnection,
        services: Services,
        invoker: Invoker,
        clock: Clock,
        console: Console,
        host_id: str,
        work: BlobWork,
    ) -> None:
        self.function = function
        self.function_id = f"Host.Functions.{function.name}"
        self.connection = connection
        self._services = services
        self._invoker = invoker
        self._clock = clock
        self._console = console
        self._host_id = host_id
        self._work = work
        self._pattern = pattern_of(function.trigger.text("path"))
        self._container = function.trigger.text("path").partition("/")[0]
        self._kind = function.signature.inputs[function.trigger.name]
        self._noted: set[tuple[str, str]] = set()
        self.by_event = function.trigger.text("source").lower() == "eventgrid"
        work.listeners[self.function_id] = self

    async def start(self) -> None:
        """Ask both accounts whether they are there. Raises ListenerUnavailable; may be called again."""
        await reach(self._blobs().get_container_client(self._container).get_container_properties, self._container)
        await self._work.start()

    async def run(self) -> None:
        """Notice blobs and handle them until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._work.claim():
                group.create_task(self._work.run())
            if self.by_event:
                await asyncio.Event().wait()  # the webhook brings them
            while True:
                await self._scan()
                await self._clock.sleep(BLOB_SCAN_SECONDS)

    async def notice_event(self, event: Mapping[str, Any]) -> None:
        """Queue the blob that an event of Event Grid tells of, when it is one of ours."""
        if (event.get("eventType") or event.get("type")) not in CREATED:
            return
        data = event.get("data") or {}
        path = unquote(urlsplit(str(data.get("url", ""))).path).strip("/")
        account = urlsplit(self._blobs().url).path.strip("/")
        path = path.removeprefix(f"{account}/") if account else path
        if self._pattern.fullmatch(path):
            container, _, name = path.partition("/")
            await self._work.put(self._message(container, name, str(data.get("eTag", ""))))

    async def handle(self, message: Mapping[str, str], details: dict[str, str]) -> bool:
        """Run the function on the blob of a queued message. True also when there is nothing to do any more."""
        from azure.core.exceptions import ResourceNotFoundError

        container, name = message["ContainerName"], message["BlobName"]
        client = self._blobs().get_blob_client(container, name)
        try:
            properties = await client.get_blob_properties()
            if not self.by_event and properties.etag != message["ETag"]:  # it has changed since: the next scan sees it
                return True
            call = await self._call_for_blob(client, f"{container}/{name}", properties, details)
        except ResourceNotFoundError:
            return True
        except ValueError as refusal:
            self._console.always(f"The blob '{container}/{name}' cannot be handed over: {refusal}", "error")
            return False
        return (await self._invoker.invoke(self.function, call)).failure is None

    async def call_for_path(self, path: str) -> Call:
        """The call for a blob of the account. Raises ValueError when there is none."""
        from azure.core.exceptions import AzureError

        try:
            container, name = split_path(path)
            client = self._blobs().get_blob_client(container, name)
            return await self._call_for_blob(client, f"{container}/{name}", await client.get_blob_properties(), {})
        except (AzureError, FunctionInError) as failure:
            first_line = str(failure).split("\n", 1)[0]
            raise ValueError(f"'{path}' is not a blob that can be read: {first_line}") from failure

    def call_for(self, path: str, content: bytes) -> Call:
        """The call for a blob that need not exist. Raises ValueError for a path that is not the trigger's."""
        if not self._pattern.fullmatch(path.strip("/")):
            raise ValueError(f"'{path}' does not match the trigger's path '{self.function.trigger.text('path')}'.")
        value = blob_datum(content, self.function.trigger, self._kind)
        return self._call(value, path.strip("/"), "", {"ContentLength": len(content)}, {}, {})

    async def _call_for_blob(self, client: Any, path: str, properties: Any, details: dict[str, str]) -> Call:
        """The call for a blob of the account. Raises ResourceNotFoundError."""
        trigger = self.function.trigger
        if self._kind.deferred:
            value = client_datum(trigger.text("connection"), *split_path(path))
        else:
            value = blob_datum(await download(client), trigger, self._kind)
        described = {
            "ContentLength": properties.size,
            "ContentType": properties.content_settings.content_type,
            "ETag": properties.etag,
            "LastModified": properties.last_modified.isoformat(),
        }
        return self._call(value, path, client.url, described, properties.metadata or {}, details)

    def _call(
        self,
        value: Datum,
        path: str,
        url: str,
        properties: dict[str, Any],
        metadata: dict[str, str],
        details: dict[str, str],
    ) -> Call:
        match = self._pattern.fullmatch(path)
        described = {"BlobTrigger": path, "Uri": url, "Properties": properties, "Metadata": metadata}
        return Call(
            value,
            reason=f"New blob detected({'EventGrid' if self.by_event else 'LogsAndContainerScan'}): {path}",
            metadata={
                key: Datum(each, "string") if isinstance(each, str) else Datum(json.dumps(each), "json")
                for key, each in described.items()
            },
            details=details,
            data={**described, **(match.groupdict() if match else {})},
        )

    async def _scan(self) -> None:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            seen = 0
            async for each in self._blobs().get_container_client(self._container).list_blobs():
                seen += 1
                if seen > BLOB_SCAN_BLOBS_MAX:
                    self._console.always(
                        f"Container '{self._container}' has more than {BLOB_SCAN_BLOBS_MAX} blobs: the rest is not "
                        "looked at. Use source=EventGrid.",
                        "warning",
                    )
                    return
                await self._note(each.name, each.etag)
        except ResourceNotFoundError:  # a container that does not exist yet has no blobs
            return
        except AzureError as failure:
            first_line = str(failure).split("\n", 1)[0]
            self._console.always(f"Container '{self._container}' cannot be listed: {first_line}", "warning")

    async def _note(self, name: str, bare_etag: str) -> None:
        etag = f'"{bare_etag.strip(chr(34))}"'  # lists give it without its quotes, everything else with them
        if (name, etag) in self._noted or not self._pattern.fullmatch(f"{self._container}/{name}"):
            return
        receipt = f"blobreceipts/{self._host_id}/{self.function_id}/{etag}/{self._container}/{name}"
        if await self._work.note(receipt, self._message(self._container, name, etag)):
            self._noted.add((name, etag))

    def _message(self, container: str, name: str, etag: str) -> dict[str, str]:
        return {
            "Type": "BlobTrigger",
            "FunctionId": self.function_id,
            "BlobType": "BlockBlob",
            "ContainerName": container,
            "BlobName": name,
            "ETag": etag,
        }

    def _blobs(self) -> Any:
        return self._services.storage("blob", self.connection)


class BlobWork:
    """The host's own queue of blobs to handle, and receipts of those put there; both in AzureWebJobsStorage."""

    def __init__(
        self,
        settings: Settings,
        options: QueueOptions,
        services: Services,
        clock: Clock,
        console: Console,
        host_id: str,
    ) -> None:
        self._settings = settings
        self._options = options
        self._services = services
        self._clock = clock
        self._console = console
        self._name = f"azure-webjobs-blobtrigger-{host_id}"
        self._is_claimed = False
        self.listeners: dict[str, BlobListener] = {}

    async def start(self) -> None:
        """Ask the account whether it is there. Raises ListenerUnavailable."""
        await reach(self._queue(self._name).get_queue_properties, self._name)

    def claim(self) -> bool:
        """Whether the caller is to run it: the first that asks, until that has ended."""
        was, self._is_claimed = self._is_claimed, True
        return not was

    async def run(self) -> None:
        """Handle queued blobs until cancelled."""
        queue, poison = self._queue(self._name), self._queue(POISON_QUEUE)
        try:
            await QueuePoller(queue, poison, self._options, self._handle, self._clock, self._console).run()
        finally:
            self._is_claimed = False

    async def put(self, message: Mapping[str, str]) -> None:
        """Queue a blob."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        queue = self._queue(self._name)
        text = encoded(json.dumps(message).encode(), encodes=self._options.encodes)
        try:
            await queue.send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another function was faster
                await queue.create_queue()
            await queue.send_message(text)

    async def note(self, receipt: str, message: Mapping[str, str]) -> bool:
        """Queue a blob once for all hosts: the receipt says that it was. False to come again with the next scan."""
        from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

        container = self._services.storage("blob", self._account()).get_container_client(HOSTS_CONTAINER)
        blob = container.get_blob_client(receipt)
        try:
            known = await blob.get_blob_properties()
            if "Incomplete" not in known.metadata:
                return True
        except ResourceNotFoundError:
            try:
                await blob.upload_blob(b"", metadata=INCOMPLETE)
            except ResourceExistsError:
                return False
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):  # another host was faster
                    await container.create_container()
                return False
        try:
            lease = await blob.acquire_lease(30)
        except HttpResponseError:  # another host is at it
            return False
        try:
            if "Incomplete" in (await blob.get_blob_properties()).metadata:
                await self.put(message)
                await blob.set_blob_metadata({}, lease=lease)
        finally:
            await lease.release()
        return True

    async def _handle(self, message: Message) -> bool:
        try:
            document = json.loads(message.body)
            names = {name: str(document[name]) for name in ("FunctionId", "ContainerName", "BlobName", "ETag")}
        except (ValueError, KeyError, TypeError) as refusal:
            self._console.always(f"A message of '{self._name}' is not of a blob: {refusal!r}", "error")
            return False
        listener = self.listeners.get(names["FunctionId"])
        if listener is None or not listener.function.runs:
            return True
        raw = message.raw
        details = {
            "MessageId": raw.id,
            "DequeueCount": str(raw.dequeue_count),
            "InsertedOn": raw.inserted_on.isoformat(),
        }
        return await listener.handle(names, details)

    def _account(self) -> StorageConnection:
        return storage_connection(self._settings, "")

    def _queue(self, name: str) -> Any:
        return self._services.storage("queue", self._account()).get_queue_client(name)
