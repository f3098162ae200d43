"""Azurite as we run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import requests
from azure.storage.blob import BlobServiceClient

from local.azurite import Announcement, StorageAddress, command
from tests.azurite import running_azurite


def test_the_official_client_writes_and_reads_a_blob(azurite: StorageAddress) -> None:
    """The connection string we hand out is one the storage SDK accepts."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
        container = client.create_container("reads-and-writes")
        container.upload_blob("a/b.json", b"{}")
        assert container.download_blob("a/b.json").readall() == b"{}"


def test_data_survives_the_end_of_its_parent(tmp_path: Path) -> None:
    """When whoever holds its stdin is gone, Azurite saves and ends; started again it still has the blob."""
    with (
        running_azurite(tmp_path) as address,
        BlobServiceClient.from_connection_string(address.connection_string) as client,
    ):
        client.create_container("kept").upload_blob("x", b"1")
    with (
        running_azurite(tmp_path) as address,
        BlobServiceClient.from_connection_string(address.connection_string) as client,
    ):
        assert client.get_container_client("kept").download_blob("x").readall() == b"1"


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """Closing stdin before it has even started ends the process too."""
    process = subprocess.Popen(
        command(StorageAddress(0, 0, 0), tmp_path), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    assert process.wait(timeout=30) is not None


def test_being_told_to_end_is_enough(tmp_path: Path) -> None:
    """SIGTERM ends Azurite in order although whoever started it is still there and holds its stdin."""
    process = subprocess.Popen(
        command(StorageAddress(0, 0, 0), tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    announcement = Announcement()
    with process, process.stdin, process.stdout:
        assert any(announcement.hear(line) for line in process.stdout)
        requests.get(announcement.address.blob_url, timeout=5)  # it answers once it also listens to signals
        process.terminate()
        assert process.wait(timeout=10) == 0
