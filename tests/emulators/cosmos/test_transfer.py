"""Export and import of NDJSON through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from azure.cosmos import ContainerProxy, DatabaseProxy, PartitionKey

from emulators.cosmos.transfer import main

OURS = "the transfer command is the emulator's own"


def transfer(action: str, container: ContainerProxy, file: Path, url: str) -> int:
    return main([action, container.container_link.split("/")[1], container.id, str(file), "--url", url])


@pytest.mark.our_choice(OURS)
def test_what_was_exported_can_be_imported(
    url: str, database: DatabaseProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All items, also without a key or under several, arrive in another container; their system properties are new.

    A full bar says that they have.
    """
    source = database.create_container("source", PartitionKey("/pk"), offer_throughput=12000)
    target = database.create_container("target", PartitionKey(["/pk", "/n"], kind="MultiHash"))
    for number in range(30):
        source.create_item({"id": str(number), "n": number, **({"pk": f"p{number % 4}"} if number % 5 else {})})
    file = tmp_path / "items.ndjson"
    assert transfer("export", source, file, url) == 0
    assert len(file.read_text(encoding="utf-8").splitlines()) == 30
    assert transfer("import", target, file, url) == 0
    assert capsys.readouterr().err.count(f"[{'#' * 30}] 30 items") == 2

    def own(container: ContainerProxy) -> dict[str, dict[str, object]]:
        items = container.read_all_items()
        return {item["id"]: {name: value for name, value in item.items() if name[0] != "_"} for item in items}

    assert own(source) == own(target)


@pytest.mark.our_choice(OURS)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"id": "a"}\n{}\n', "line 2: POST dbs"),
        ("{}\n", "required properties"),
        ('{"id": "a"}\nnot json\n', "line 2: no JSON"),
        ('{"id": "a"}\n{"id": "b", "te', "line 2: no JSON"),
        ("[1]\n", "line 1: no item"),
        pytest.param('{"id": "' + "x" * 9_000_000, "line 1: no item is longer", id="a line without an end"),
    ],
)
def test_a_line_that_is_no_item_is_told(
    url: str,
    container: ContainerProxy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    told: str,
) -> None:
    """Exit code 1, and stderr says which line, what is wrong with it, and how many items had gone before."""
    file = tmp_path / "items.ndjson"
    file.write_text(content, encoding="utf-8")
    assert transfer("import", container, file, url) == 1
    errors = capsys.readouterr().err
    assert told in errors
    assert f"{len(list(container.read_all_items()))} items," in errors
    assert "ActivityId" not in errors


@pytest.mark.our_choice(OURS)
def test_files_of_other_systems_are_read(url: str, container: ContainerProxy, tmp_path: Path) -> None:
    """A byte order mark, carriage returns and empty lines make no difference."""
    file = tmp_path / "items.ndjson"
    file.write_bytes(b'\xef\xbb\xbf{"id":"a","pk":"x"}\r\n\r\n{"id":"b","pk":"x"}\r\n \n')
    assert transfer("import", container, file, url) == 0
    assert sorted(item["id"] for item in container.read_all_items()) == ["a", "b"]


@pytest.mark.our_choice("an export that fails must not cost the last good one")
def test_a_failed_export_leaves_the_file_alone(url: str, container: ContainerProxy, tmp_path: Path) -> None:
    """What was exported before stays, and nothing half written lies beside it."""
    file = tmp_path / "items.ndjson"
    file.write_text("the last good one", encoding="utf-8")
    assert main(["export", container.container_link.split("/")[1], "none", str(file), "--url", url]) == 1
    assert [(each.name, each.read_text(encoding="utf-8")) for each in tmp_path.iterdir()] == [
        ("items.ndjson", "the last good one")
    ]


@pytest.mark.our_choice(OURS)
def test_an_endpoint_is_a_url(container: ContainerProxy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bare host name is refused with what to give instead."""
    with pytest.raises(SystemExit):
        transfer("export", container, tmp_path / "items.ndjson", "localhost:8081")
    assert "http://" in capsys.readouterr().err


@pytest.mark.our_choice(OURS)
def test_an_export_keeps_what_json_can_say(url: str, container: ContainerProxy, tmp_path: Path) -> None:
    """A line is the item as the server gives it."""
    made = container.create_item({"id": "ü", "pk": None, "text": "line\nbreak"})
    file = tmp_path / "items.ndjson"
    assert transfer("export", container, file, url) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == dict(made)
