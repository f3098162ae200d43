"""Azure as an identity sees it, on this machine: emulators and Azurite over https that take tokens, and where a managed
identity gets them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from emulators.base.tls import certificate_file, local_authority
from emulators.cosmos.account import WELL_KNOWN_KEY
from local.azurite import Announcement, StorageAddress, command
from local.environment import install_azurite


def token() -> str:
    """A token as the emulators and Azurite take one: nobody here can verify a signature of Entra's."""

    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    now = int(time.time())  # noqa: TID251 - tokens are of real time
    claims = {
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "aud": "https://storage.azure.com",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
    }
    key = base64.urlsafe_b64encode(WELL_KNOWN_KEY.encode()).decode().rstrip("=")
    return f"{part({'alg': 'none'})}.{part(claims)}.{key}"


@contextmanager
def identity_endpoint() -> Iterator[str]:
    """What App Service offers a managed identity's tokens at."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            expires = str(int(time.time()) + 3600)  # noqa: TID251 - tokens are of real time
            given = {"access_token": token(), "expires_on": expires, "token_type": "Bearer", "resource": "any"}
            body = json.dumps(given).encode()
            self.send_response(200 if self.headers.get("X-IDENTITY-HEADER") == "secret" else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/msi/token"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def emulator(name: str, authority: Path, *flags: str) -> Iterator[str]:
    """An emulator's process over https; its URL."""
    local_authority(authority)
    trust = {"EMULATORS_CA_DIR": str(authority), "SSL_CERT_FILE": str(certificate_file(authority))}
    process = subprocess.Popen(
        [sys.executable, "-m", f"emulators.{name}", "--port", "0", "--https", "--exit-when-stdin-closes", *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **trust},
    )
    assert process.stdin
    assert process.stdout
    with process, process.stdin, process.stdout:
        yield process.stdout.readline().split()[1]
        process.stdin.close()
        process.stdout.read()


@contextmanager
def azurite_with_tokens(authority: Path, data: Path) -> Iterator[StorageAddress]:
    """Azurite over https that takes bearer tokens."""
    install_azurite()
    leaf = local_authority(authority).issue_cert("127.0.0.1")
    data.mkdir()
    key, certificate = data / "key.pem", data / "cert.pem"
    leaf.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    flags = ["--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    process = subprocess.Popen(
        [*command(StorageAddress(0, 0, 0), data / "blobs"), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    announcement = Announcement()
    with process, process.stdin, process.stdout:
        assert any(announcement.hear(line) for line in process.stdout)
        yield announcement.address
        process.stdin.close()
        process.stdout.read()
