"""Continuation tokens as laws: what was signed is read back, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from update_order_status_read_model.paging import TokenRefused, read_token, sign_token

SECRET = b"a key that only tests know"

queries = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3)
keys = st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(0, 2**53), max_size=2)


@given(queries, keys)
def test_what_was_signed_is_read_back(query: dict[str, str], key: dict[str, str | int]) -> None:
    """The key comes back for the query that it was signed for, and in an address the token stands as it is."""
    token = sign_token(SECRET, query, key)
    assert read_token(SECRET, query, token) == key
    assert token.replace("-", "").replace("_", "").isalnum()


@given(queries, keys, st.data())
def test_a_changed_token_is_refused(query: dict[str, str], key: dict[str, str | int], data: st.DataObject) -> None:
    """No character can be replaced, added or taken away, not even by another spelling of the same bytes."""
    token = sign_token(SECRET, query, key)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCDwxyz0189-_=+/ é"))
    changed = data.draw(
        st.sampled_from(
            [
                token[:place] + other + token[place + 1 :],
                token[:place] + other + token[place:],
                token[:place],
                token + "=",
            ]
        )
    )
    assume(changed != token)
    with pytest.raises(TokenRefused):
        read_token(SECRET, query, changed)


@given(queries, queries, keys)
def test_a_token_continues_its_query_only(
    query: dict[str, str], other: dict[str, str], key: dict[str, str | int]
) -> None:
    """For another query, or signed with another key, a token is refused."""
    token = sign_token(SECRET, query, key)
    with pytest.raises(TokenRefused):
        read_token(b"another key of another service", query, token)
    assume(query != other)
    with pytest.raises(TokenRefused):
        read_token(SECRET, other, token)


@given(st.text(max_size=60))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    """Whatever somebody makes up is refused, not stumbled over."""
    with pytest.raises(TokenRefused):
        read_token(SECRET, {}, text)
