"""The order service as it is deployed, one for all tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.served_app import ServedApp, served_app


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApp]:
    """The served app; use order ids of your own."""
    with served_app(tmp_path_factory.mktemp("app")) as running:
        yield running
