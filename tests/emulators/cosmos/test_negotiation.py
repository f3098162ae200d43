"""What a request says about itself: its API version, the format of its answer, the system properties in it."""

from __future__ import annotations

import pytest
from azure.cosmos import ContainerProxy

from tests.emulators.cosmos.http import Door

DOTNET = "the .NET SDK's HeadersValidationTests: {}"
FORMAT, EXCLUDE = "x-ms-documentdb-content-serialization-format", "x-ms-exclude-system-properties"


@pytest.mark.seen_on_azure(DOTNET.format("ValidateVersionHeader"))
@pytest.mark.parametrize(
    ("version", "status"),
    [("2015-01-01", 400), ("yesterday", 400), ("", 400), ("2015-12-16", 200), ("2018-12-31", 200), ("2031-01-31", 200)],
)
def test_an_api_version_that_never_was_is_refused(door: Door, version: str, status: int) -> None:
    """400; those of old and new clients are served."""
    assert door.call("GET", "dbs", headers={"x-ms-version": version}).status_code == status


@pytest.mark.seen_on_azure(DOTNET.format("ValidateJsonSerializationFormatReadFeed"))
def test_an_unknown_format_is_refused(door: Door, container: ContainerProxy) -> None:
    """400; text is what is given anyway, and a binary answer is 501 by name."""
    path = f"{container.container_link}/docs"
    assert door.call("GET", path, headers={FORMAT: "Not a valid value"}).status_code == 400
    assert door.call("GET", path, headers={FORMAT: "JsonText"}).status_code == 200
    refused = door.call("GET", path, headers={FORMAT: "CosmosBinary"})
    assert (refused.status_code, "CosmosBinary" in refused.text) == (501, True)


@pytest.mark.seen_on_azure(DOTNET.format("ValidateExcludeSystemProperties"))
def test_links_are_left_out_of_an_answer_that_excludes_them(door: Door, container: ContainerProxy) -> None:
    """In the answer to a write and to a read; what is stored has them all the same."""
    path, key = f"{container.container_link}/docs", {"x-ms-documentdb-partitionkey": '["x"]'}
    made = door.call("POST", path, {"id": "a", "pk": "x"}, {**key, EXCLUDE: "true"}).json()
    assert not {"_self", "_attachments"} & set(made)
    assert not {"_self", "_attachments"} & set(door.call("GET", f"{path}/a", headers={**key, EXCLUDE: "True"}).json())
    for headers in (key, {**key, EXCLUDE: "false"}):
        assert {"_self", "_attachments", "_etag"} <= set(door.call("GET", f"{path}/a", headers=headers).json())


@pytest.mark.our_choice("a switch that is neither on nor off is refused before anything is done")
def test_a_malformed_switch_does_nothing(door: Door, container: ContainerProxy) -> None:
    """400, and the item is not stored."""
    headers = {"x-ms-documentdb-partitionkey": '["x"]', EXCLUDE: "perhaps"}
    assert door.call("POST", f"{container.container_link}/docs", {"id": "a", "pk": "x"}, headers).status_code == 400
    assert list(container.read_all_items()) == []
