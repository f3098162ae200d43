"""Cookies of a function's answer as the host writes them: ASP.NET Core's form, not the one the function chose. Pure.

On the way from worker to host a Set-Cookie header is taken apart (azure_functions_worker datumdef.py) and put together
again (azure-functions-host RawScriptResult: IResponseCookies.Append): values are percent-encoded, names of attributes
lower-case and in one order, and an empty domain and path are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.cookies import Morsel, SimpleCookie
from urllib.parse import quote

SAME_SITE = frozenset({"lax", "strict", "none"})


def set_cookie_lines(cookie: SimpleCookie) -> list[str]:
    """The values of Set-Cookie headers. Raises ValueError for an attribute that the worker cannot read."""
    return ["; ".join(_parts(each)) for each in cookie.values()]


def _parts(cookie: Morsel[str]) -> Iterator[str]:
    yield f"{cookie.key}={quote(cookie.value, safe='')}"
    if expires := cookie["expires"]:
        yield f"expires={format_datetime(_moment(expires), usegmt=True)}"
    if max_age := cookie["max-age"]:
        yield f"max-age={_seconds(max_age)}"
    yield f"domain={cookie['domain']}"
    yield f"path={cookie['path']}"
    if cookie["secure"]:
        yield "secure"
    if (same_site := cookie["samesite"].lower()) in SAME_SITE:
        yield f"samesite={same_site}"
    if cookie["httponly"]:
        yield "httponly"


def _moment(text: str) -> datetime:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(text).astimezone(UTC)
        except ValueError:
            pass
    raise ValueError(f"Can not parse value {text} of expires in the cookie due to invalid format.")


def _seconds(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"Cannot parse value {text} of 'cookie.maxAge' to float.") from None
