"""Counting words: by itself, and on Azurite."""

from collections.abc import Callable

from azure.storage.blob import BlobServiceClient
from emulators.functions_host.testing import FunctionsTestHost
from emulators.pytest_plugin.azurite import Azurite
from function_app import app


def test_words_are_counted() -> None:
    """A blob that nobody has uploaded is handed in by the test."""
    with FunctionsTestHost(
        app, settings={"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, capture_outputs=True
    ) as host:
        [run] = host.send_blob("count_words", "texts/one.txt", b"three short words")
        assert run.outputs == {"count": "3"}


def test_an_uploaded_text_gets_its_count(
    azurite: Azurite, functions_test_host: Callable[..., FunctionsTestHost]
) -> None:
    """On Azurite: the trigger finds the upload and the count is beside it."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        blobs.create_container("texts").upload_blob("one.txt", b"three short words")
        host = functions_test_host(app, settings={"AzureWebJobsStorage": azurite.connection_string}, listen=True)
        host.wait_for("count_words")
        assert blobs.get_blob_client("counts", "one.txt").download_blob().readall() == b"3"
