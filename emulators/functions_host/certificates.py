"""TLS contexts for --useHttps: the PFX file of --cert, or a leaf of this machine's own authority."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12

from emulators.base.ids import Ids
from emulators.base.tls import authority_directory, server_context, trust_line
from emulators.functions_host.errors import StartError


def local_context() -> ssl.SSLContext:
    """A context whose leaf the local authority has signed."""
    return server_context(authority_directory())


def local_trust_line() -> str:
    """What a user pastes so that clients trust the local authority."""
    return trust_line(authority_directory())


def pfx_context(file: str, password: str) -> ssl.SSLContext:
    """A context with the key and certificates of a PFX file; `password` may name a file that holds it.

    Raises StartError.
    """
    if password and Path(password).is_file():
        password = Path(password).read_text(encoding="utf-8").strip()
    try:
        content = Path(file).read_bytes()
        key, certificate, more = pkcs12.load_key_and_certificates(content, password.encode() or None)
    except OSError as failure:
        raise StartError(f"--cert: {file} cannot be read: {failure.strerror}.") from failure
    except ValueError as refusal:
        raise StartError(f"--cert: {file} is not a PFX file that --password opens: {refusal}") from refusal
    if key is None or certificate is None:
        raise StartError(f"--cert: {file} holds no private key with its certificate.")
    phrase = Ids().token(32).hex().encode()  # the ssl module reads files only; what lies there is worth nothing alone
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(phrase))
    pem += b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *more))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.pem"
        chain.write_bytes(pem)
        context.load_cert_chain(chain, password=phrase)
    return context
