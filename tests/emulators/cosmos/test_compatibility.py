"""The page of what is built and how we know: made from the routes and tests, and never older than they are."""

from __future__ import annotations

import pytest

from tests.compatibility import PAGE, page


@pytest.mark.our_choice("a page that is made by hand, or made and forgotten, tells what was")
def test_the_page_is_what_routes_and_tests_make_of_it() -> None:
    """Whoever adds a route or a test runs `python -m tests.compatibility`."""
    assert PAGE.read_text(encoding="utf-8") == page()
