"""Blob bindings: a blob's content in, a blob's content out; or a client, where the extension library is installed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from emulators.functions_host.bindings.expressions import BindingData
from emulators.functions_host.connections import STORAGE_DEFAULT, storage_connection
from emulators.functions_host.converters import Datum
from emulators.functions_host.errors import FunctionInError
from emulators.functions_host.index import Binding
from emulators.functions_host.limits import BLOB_BYTES_MAX
from emulators.functions_host.services import Services
from emulators.functions_host.settings import Settings
from emulators.functions_host.signature import ParameterType

TYPE = "blob"


@dataclass(frozen=True)
class ModelBindingData:
    """What the SDK-type bindings library makes a client from: the name of the connection and where the blob is."""

    content: str
    version: str = "1.0"
    source: str = "AzureStorageBlobs"
    content_type: str = "application/json"


@dataclass(frozen=True)
class BlobBinding:
    """Reads and writes blobs for bindings of type blob."""

    services: Services
    settings: Settings

    def check(self, binding: Binding) -> None:
        """Raise FunctionInError for a binding that cannot work."""
        storage_connection(self.settings, binding.text("connection"))
        split_path(binding.text("path"), needs_blob=binding.direction == "OUT")

    async def read(self, binding: Binding, data: BindingData, kind: ParameterType) -> Datum:
        """The blob's bytes (text for a parameter annotated str), nothing when there is no such blob."""
        from azure.core.exceptions import ResourceNotFoundError

        container, name = split_path(data.resolve(binding.text("path")), needs_blob=not kind.deferred)
        if kind.deferred:
            return client_datum(binding.text("connection"), container, name)
        client = self._service(binding).get_blob_client(container, name)
        try:
            return blob_datum(await download(client), binding, kind)
        except ResourceNotFoundError:
            return Datum(None, None)

    async def write(self, binding: Binding, value: Datum, data: BindingData) -> None:
        """Write the blob, over one that is there; the container is created when it does not exist."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        content = value.value
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        container, name = split_path(data.resolve(binding.text("path")))
        service = self._service(binding)
        client = service.get_blob_client(container, name)
        try:
            await client.upload_blob(content, overwrite=True)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another function was faster
                await service.create_container(container)
            await client.upload_blob(content, overwrite=True)

    def _service(self, binding: Binding) -> Any:
        return self.services.storage("blob", storage_connection(self.settings, binding.text("connection")))


def split_path(path: str, *, needs_blob: bool = True) -> tuple[str, str]:
    """(container, blob name) of a binding's path; a client of a container needs no blob. Raises FunctionInError."""
    container, _, name = path.strip("/").partition("/")
    if not container or (needs_blob and not name):
        raise FunctionInError(
            f"Invalid blob path '{path}'. Paths must be in the format 'container/blob', and may hold {{expressions}}."
        )
    return container, name


async def download(client: Any) -> bytes:
    """A blob's bytes. Raises ResourceNotFoundError, and ValueError for one that is too large to hand over."""
    download = await client.download_blob()
    if download.size > BLOB_BYTES_MAX:
        raise ValueError(f"The blob has {download.size} bytes; a binding hands over at most {BLOB_BYTES_MAX}.")
    content = await download.readall()
    return bytes(content)


def blob_datum(content: bytes, binding: Binding, kind: ParameterType) -> Datum:
    """Content in the form that the parameter takes: text for `str` or dataType string, else bytes."""
    if kind.python_type is str or binding.text("dataType").upper() == "STRING":
        return Datum(content.decode("utf-8", "replace"), "string")
    return Datum(content, "bytes")


def client_datum(connection: str, container: str, name: str) -> Datum:
    """What the SDK-type bindings library takes instead of content."""
    content = {"Connection": connection or STORAGE_DEFAULT, "ContainerName": container, "BlobName": name}
    return Datum(ModelBindingData(json.dumps(content)), "model_binding_data")
