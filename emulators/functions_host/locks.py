"""Singleton listeners: of several hosts with one host id, one listens for a function; when it goes, another takes over.

The lock is a lease on the blob `azure-webjobs-hosts/locks/<host id>/Host.Functions.<name>.Listener`, as webjobs-sdk has
it (SingletonListener, BlobLeaseDistributedLockManager). The lease belongs to the host, not to a worker process: a
worker that is put in the place of another goes on with it. Leases run on the storage account's clock, so their renewal
goes by real seconds; looking for a lock that another host holds goes by the host's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, Protocol
from uuid import UUID, uuid5

from emulators.base.clock import Clock
from emulators.functions_host.connections import StorageConnection
from emulators.functions_host.console import Console
from emulators.functions_host.limits import LOCK_LEASE_SECONDS, LOCK_POLL_SECONDS, LOCK_RENEW_SECONDS_MIN
from emulators.functions_host.listeners import Listener
from emulators.functions_host.services import Services
from emulators.functions_host.storage import HOSTS_CONTAINER, StorageUnavailable, create_container, open_container


class Lock(Protocol):
    """What one holder at a time may hold, for a while."""

    async def acquire(self) -> bool:
        """Whether it is ours now. Raises StorageUnavailable."""

    async def renew(self) -> bool:
        """Whether it is still ours, for another while. Raises StorageUnavailable."""

    async def release(self) -> None:
        """Let it go; a lock that cannot be let go runs out."""


class BlobLease:
    """A lock kept in AzureWebJobsStorage."""

    def __init__(self, services: Services, connection: StorageConnection, name: str, instance_id: str) -> None:
        self._services = services
        self._connection = connection
        self._name = name
        self._lease_id = str(uuid5(UUID(instance_id), name))
        self._blob: Any = None
        self._container: Any = None

    async def acquire(self) -> bool:
        """Take the lease, of a blob that is made when it is not there."""
        from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

        try:
            self._open()
            try:
                await self._take()
            except ResourceNotFoundError:
                await create_container(self._container)
                await self._blob.upload_blob(b"", overwrite=True)
                await self._take()
        except ResourceExistsError:
            return False
        except HttpResponseError as failure:
            if failure.status_code in (409, 412):
                return False
            raise self._unavailable(failure) from failure
        except AzureError as failure:
            raise self._unavailable(failure) from failure
        return True

    async def renew(self) -> bool:
        """Taking a lease that is ours renews it."""
        return await self.acquire()

    async def release(self) -> None:
        """Let the lease go."""
        from azure.core.exceptions import AzureError
        from azure.storage.blob.aio import BlobLeaseClient

        if self._blob is not None:
            with contextlib.suppress(AzureError):  # it runs out by itself
                await BlobLeaseClient(self._blob, lease_id=self._lease_id).release()

    async def _take(self) -> None:
        await self._blob.acquire_lease(lease_duration=LOCK_LEASE_SECONDS, lease_id=self._lease_id)

    def _open(self) -> None:
        if self._container is None:
            self._container = open_container(self._services, self._connection, HOSTS_CONTAINER)
            self._blob = self._container.get_blob_client(self._name)

    def _unavailable(self, failure: Exception) -> StorageUnavailable:
        first_line = str(failure).split("\n", 1)[0]
        return StorageUnavailable(f"the lock {HOSTS_CONTAINER}/{self._name}: {first_line}")


class SingletonListener:
    """Runs another listener while it holds a lock."""

    def __init__(self, inner: Listener, lock: Lock, clock: Clock, console: Console) -> None:
        self.function = inner.function
        self._inner = inner
        self._lock = lock
        self._clock = clock
        self._console = console

    async def start(self) -> None:
        """Wait for the lock, then start. Raises what the inner listener raises, or StorageUnavailable."""
        while not await self._lock.acquire():
            self._console.system("debug", f"Unable to acquire Singleton lock of '{self.function.name}'.")
            await self._clock.sleep(LOCK_POLL_SECONDS)
        try:
            await self._inner.start()
        except BaseException:
            await self._lock.release()
            raise

    async def run(self) -> None:
        """Run while the lock is held; when it is lost, wait for it and start again."""
        try:
            while True:
                await self._run_while_held()
                self._console.always(
                    f"The lock of function '{self.function.name}' was lost; another host may run it.", "warning"
                )
                await self.start()
        finally:
            await self._lock.release()

    async def _run_while_held(self) -> None:
        running = asyncio.create_task(self._inner.run())
        holding = asyncio.create_task(self._hold())
        try:
            await asyncio.wait((running, holding), return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            await asyncio.wait((running,))  # a run in progress ends before the lock is let go
            holding.cancel()
        if not running.cancelled() and (failure := running.exception()):
            raise failure

    async def _hold(self) -> None:
        """Renew until the lock is lost."""
        wait, held_until = LOCK_LEASE_SECONDS / 2, time.monotonic() + LOCK_LEASE_SECONDS
        while True:
            await asyncio.sleep(wait)
            try:
                if not await self._lock.renew():
                    return
                wait, held_until = LOCK_LEASE_SECONDS / 2, time.monotonic() + LOCK_LEASE_SECONDS
            except StorageUnavailable:
                if time.monotonic() >= held_until:
                    return
                wait = max(wait / 2, LOCK_RENEW_SECONDS_MIN)


def lock_name(host_id: str, function: str) -> str:
    """The blob of a function's listener lock."""
    return f"locks/{host_id}/Host.Functions.{function}.Listener"
