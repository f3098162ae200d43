"""The pages of what is built and how we know: made from the routes and tests, and never older than they are."""

from __future__ import annotations

import pytest

from tests.compatibility import PAGES, file_of


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_routes_and_tests_make_of_it(name: str) -> None:
    """Whoever adds a route or a test runs `python -m tests.compatibility`."""
    assert file_of(name).read_text(encoding="utf-8") == PAGES[name].text()
