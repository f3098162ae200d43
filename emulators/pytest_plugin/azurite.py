"""The real Azurite as a child process on free ports, ended with the test run. Knows no emulator."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The well-known development account and its key (learn.microsoft.com, use Azurite)."""
LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at \S+:(\d+)")
SERVICES = 3
OUTPUT_LINES_MAX = 200
END_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Azurite:
    """A running Azurite."""

    blob_url: str
    queue_url: str
    table_url: str

    @property
    def connection_string(self) -> str:
        """What AzureWebJobsStorage and storage connections take."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};TableEndpoint={self.table_url};"
        )

    def empty(self) -> None:
        """Remove every container, queue and table."""
        from azure.data.tables import TableServiceClient
        from azure.storage.blob import BlobServiceClient
        from azure.storage.queue import QueueServiceClient

        with BlobServiceClient.from_connection_string(self.connection_string) as blobs:
            for container in list(blobs.list_containers()):
                blobs.delete_container(container)
        with QueueServiceClient.from_connection_string(self.connection_string) as queues:
            for queue in list(queues.list_queues()):
                queues.delete_queue(queue)
        with TableServiceClient.from_connection_string(self.connection_string) as tables:
            for table in list(tables.list_tables()):
                tables.delete_table(table.name)


@contextlib.contextmanager
def running_azurite(command: Sequence[str], data: Path) -> Iterator[Azurite]:
    """Start `command` with what Azurite needs to take free ports; yield once it listens. Raises RuntimeError."""
    program = shutil.which(command[0])
    if program is None:
        raise RuntimeError(
            f"Azurite was not found as '{command[0]}'. Install it (npm install -g azurite), or say how to start it: "
            "azurite_command in your pytest configuration."
        )
    flags = ["--location", str(data), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    process = subprocess.Popen(
        [program, *command[1:], *flags, *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdin, process.stdout:
        try:
            yield _listening(process.stdout)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS_MAX)
            process.kill()


def _listening(output: Iterator[str]) -> Azurite:
    ports: dict[str, str] = {}
    heard: list[str] = []
    for line in output:
        heard.append(line)
        if match := LISTENING.search(line):
            ports[match[1]] = f"http://127.0.0.1:{match[2]}/{ACCOUNT}"
        if len(ports) == SERVICES:
            return Azurite(ports["Blob"], ports["Queue"], ports["Table"])
        if len(heard) > OUTPUT_LINES_MAX:
            break
    raise RuntimeError("Azurite ended, or said something else, before it listened:\n" + "".join(heard))
