"""Evidence marks (each test of an emulator says where the behaviour is known from), and the real Azurite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.azurite import StorageAddress
from local.environment import install_azurite
from tests.azurite import running_azurite
from tests.target.plugin import AgainstAzure, add_options, is_azure

EVIDENCE = {
    "seen_on_azure": "recorded from the live service: seen_on_azure('2026-11-01: how')",
    "documented": "Microsoft documentation or a specification: documented('url or page')",
    "read_in_sdk": "read in an official SDK, host or worker: read_in_sdk('package path')",
    "our_choice": "the service says nothing, or it is our own feature: our_choice('why')",
}
NEEDS_EVIDENCE = tuple(f"tests/emulators/{room}/" for room in ("cosmos", "eventgrid", "functions_host"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--target=azure` and what belongs to it."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; against Azure, also who skips, expects and records."""
    if is_azure(config):
        config.pluginmanager.register(AgainstAzure(config), "against-azure")
    for name, meaning in EVIDENCE.items():
        config.addinivalue_line("markers", f"{name}(source): {meaning}")
    config.addinivalue_line("markers", "needs_emulator(reason): not to be asked of Azure, whatever its evidence")
    config.addinivalue_line("markers", 'network: asks a package registry; leave out with -m "not network"')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse to run when a test of an emulator has no evidence mark, or several."""
    faulty = []
    for item in items:
        if item.nodeid.startswith(NEEDS_EVIDENCE):
            marks = {mark.name: mark for mark in item.iter_markers() if mark.name in EVIDENCE}
            if len(marks) != 1 or not all(mark.args and mark.args[0] for mark in marks.values()):
                faulty.append(f"{item.nodeid}: {sorted(marks) or 'none'}")
    if faulty:
        raise pytest.UsageError(
            "each test of an emulator bears exactly one mark of "
            f"{sorted(EVIDENCE)}, with its source as argument; these do not:\n" + "\n".join(faulty)
        )


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageAddress]:
    """The real Azurite, one per test process: use container and queue names of your own."""
    install_azurite()
    with running_azurite(tmp_path_factory.mktemp("azurite")) as address:
        yield address
