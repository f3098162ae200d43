"""Whom our own programs trust when the stack serves https: this machine's authority, for these addresses only."""

from __future__ import annotations

import ssl

from emulators.base.tls import authority_directory, certificate_file


def trusted(url: str) -> ssl.SSLContext | None:
    """The TLS context for `url`, or None for plain http."""
    if not url.startswith("https:"):
        return None
    return ssl.create_default_context(cafile=str(certificate_file(authority_directory())))
