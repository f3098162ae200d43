"""A pytest plugin for projects that use these services: the three emulators, Azurite and the test host as fixtures.

Installed with the emulators (entry point pytest11); `-p no:azure_emulators` leaves it out. A fixture is fresh for each
test; `…_session` is one for the whole run. Nothing is imported before a test asks for it. docs/TESTING.md shows how.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulators.functions_host.testing import FunctionsTestHost
    from emulators.pytest_plugin.azurite import Azurite
    from emulators.pytest_plugin.servers import CosmosEmulator, EventGridEmulator

AZURITE_COMMAND = "azurite_command"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a project may set in its pytest configuration."""
    parser.addini(AZURITE_COMMAND, "how to start Azurite (default: azurite, as npm install -g azurite makes it)")


@pytest.fixture
def cosmos_emulator() -> Iterator[CosmosEmulator]:
    """An empty Cosmos DB account on a free port, for one test."""
    from emulators.pytest_plugin.servers import cosmos

    with cosmos() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def cosmos_emulator_session() -> Iterator[CosmosEmulator]:
    """A Cosmos DB account for the whole run: let tests keep apart by their databases."""
    from emulators.pytest_plugin.servers import cosmos

    with cosmos() as emulator:
        yield emulator


@pytest.fixture
def eventgrid_emulator() -> Iterator[EventGridEmulator]:
    """An Event Grid without topics on a free port, for one test."""
    from emulators.pytest_plugin.servers import eventgrid

    with eventgrid() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def eventgrid_emulator_session() -> Iterator[EventGridEmulator]:
    """An Event Grid for the whole run: let tests keep apart by their topics."""
    from emulators.pytest_plugin.servers import eventgrid

    with eventgrid() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def azurite_session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Azurite on free ports for the whole run, its data thrown away: let tests keep apart by their names."""
    from emulators.pytest_plugin.azurite import running_azurite

    command = shlex.split(request.config.getini(AZURITE_COMMAND)) or ["azurite"]
    with running_azurite(command, tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture
def azurite(azurite_session: Azurite) -> Iterator[Azurite]:
    """Azurite without containers, queues and tables, emptied after the test."""
    azurite_session.empty()
    yield azurite_session
    azurite_session.empty()


@pytest.fixture
def functions_test_host() -> Iterator[Callable[..., FunctionsTestHost]]:
    """Opens test hosts that are closed after the test: `functions_test_host(app, settings={…})`."""
    from emulators.functions_host.testing import FunctionsTestHost

    with ExitStack() as stack:

        def open_host(app: Any, **options: Any) -> FunctionsTestHost:
            return stack.enter_context(FunctionsTestHost(app, **options))

        yield open_host
