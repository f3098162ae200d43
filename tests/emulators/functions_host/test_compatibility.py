"""The page of what is built and how we know: made from the code's tables and the tests, never older than they are."""

from __future__ import annotations

import pytest

from tests.compatibility import FUNCTIONS_HOST_PAGE, functions_host_page


@pytest.mark.our_choice("a page that is made by hand, or made and forgotten, tells what was")
def test_the_page_is_what_code_and_tests_make_of_it() -> None:
    """Whoever adds a trigger, an endpoint or a test runs `python -m tests.compatibility`."""
    assert FUNCTIONS_HOST_PAGE.read_text(encoding="utf-8") == functions_host_page()
