"""--https without certificates to make: a local authority of one's own, kept in one folder, and a leaf per start.

The authority's key never leaves the folder (mode 0600). The leaf names localhost, 127.0.0.1 and ::1.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

AUTHORITY_DIRECTORY_SETTING = "EMULATORS_CA_DIR"
NAMES = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


def authority_directory() -> Path:
    """Where the local authority lives: $EMULATORS_CA_DIR, else ~/.azure-emulators/ca."""
    configured = os.environ.get(AUTHORITY_DIRECTORY_SETTING)
    return Path(configured) if configured else Path.home() / ".azure-emulators" / "ca"


def local_authority(directory: Path) -> trustme.CA:
    """The authority kept in `directory`, made on first use. Several processes may ask at once; one wins."""
    import trustme  # a third of an emulator's start, for those who ask for https only

    if not certificate_file(directory).exists():
        made = trustme.CA(organization_name="Azure emulators on this machine only")
        _keep_first(_key_file(directory), made.private_key_pem.bytes() + made.cert_pem.bytes())
        _keep_first(certificate_file(directory), _certificates(_key_file(directory).read_bytes()))
    both = _key_file(directory).read_bytes()
    return trustme.CA.from_pem(cert_bytes=_certificates(both), private_key_bytes=both)


def certificate_file(directory: Path) -> Path:
    """The authority's public certificate: what clients are told to trust."""
    return directory / "ca.pem"


def server_context(directory: Path) -> ssl.SSLContext:
    """A TLS server context whose leaf the local authority in `directory` has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    local_authority(directory).issue_cert(*NAMES).configure_cert(context)
    return context


def trust_line(directory: Path) -> str:
    """What a user pastes so that Python, Node and the Azure SDKs trust the authority."""
    file = certificate_file(directory)
    return f"export SSL_CERT_FILE={file} REQUESTS_CA_BUNDLE={file} NODE_EXTRA_CA_CERTS={file}"


def _key_file(directory: Path) -> Path:
    return directory / "ca-with-key.pem"


def _certificates(pem: bytes) -> bytes:
    return pem[pem.index(b"-----BEGIN CERTIFICATE-----") :]


def _keep_first(file: Path, content: bytes) -> None:
    """Create `file` whole (mode 0600), unless another process has been faster: then its content stands."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, unfinished = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as writer:
            writer.write(content)
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, file)
    finally:
        Path(unfinished).unlink()
