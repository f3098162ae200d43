"""`python -m emulators.cosmos.transfer export|import …`: a container's items as NDJSON, one a line.

Speaks the service's own REST over HTTP, so that it works on the emulator and on a real account alike. Items are
imported by upsert, without their system properties; the container must exist. An import that stops says at which line
and may simply be run again; an export that stops leaves the file as it was.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import sys
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import aiohttp
import orjson

from emulators.base.clock import Clock
from emulators.cosmos.account import WELL_KNOWN_KEY, KeyFormatError, decode_key
from emulators.cosmos.decimals import whole_number
from emulators.cosmos.partitioning import Definition, canonical, parse_definition
from emulators.cosmos.store.documents import SYSTEM_PROPERTIES

IN_FLIGHT = 16
"""Upserts on the way at once: our choice, what keeps one emulator process busy."""
LINE_BYTES_MAX = 8 * 1024 * 1024
"""Of a file to import: our choice, room for what the service takes however it is escaped, and no file in memory."""
PROGRESS_SECONDS = 0.2
THROTTLED = 429


class TransferError(Exception):
    """The transfer could not go on. The text says what the server said."""


@dataclass(slots=True)
class Remote:
    """A container on a server."""

    session: aiohttp.ClientSession
    url: str
    key: bytes
    path: str
    clock: Clock

    async def call(
        self, method: str, kind: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[Mapping[str, str], bytes]:
        """One signed request; its headers and body. Waits and asks again when throttled. Raises TransferError."""
        while True:
            date = self.clock.http_date()
            payload = f"{method.lower()}\n{kind}\n{self.path}\n{date.lower()}\n\n"
            signature = base64.b64encode(hmac.digest(self.key, payload.encode(), "sha256")).decode()
            signed = {
                "authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""),
                "x-ms-date": date,
                "x-ms-version": "2020-07-15",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            }
            async with self.session.request(method, f"{self.url}/{quote(path)}", data=body, headers=signed) as answer:
                content = await answer.read()
                if answer.status == THROTTLED:
                    await self.clock.sleep(int(answer.headers.get("x-ms-retry-after-ms", "100")) / 1000)
                    continue
                if answer.status >= 400:
                    raise TransferError(f"{method} {path}: {answer.status} {_told(content)}")
                return answer.headers, content

    async def definition(self) -> Definition:
        """The container's partition key."""
        _, body = await self.call("GET", "colls", self.path)
        return parse_definition(orjson.loads(body)["partitionKey"])

    async def count(self) -> int | None:
        """About how many items there are, where the server says so."""
        received, _ = await self.call("GET", "colls", self.path, None, x_ms_documentdb_populatequotainfo="True")
        told = dict(each.partition("=")[::2] for each in received.get("x-ms-resource-usage", "").split(";"))
        return whole_number(told.get("documentsCount", ""))

    async def items(self) -> AsyncIterator[dict[str, Any]]:
        """All items, page by page."""
        token = ""
        while True:
            headers = {"x_ms_max_item_count": "1000", **({"x_ms_continuation": token} if token else {})}
            received, body = await self.call("GET", "docs", f"{self.path}/docs", None, **headers)
            for item in orjson.loads(body)["Documents"]:
                yield item
            token = received.get("x-ms-continuation", "")
            if not token:
                return


def _told(content: bytes) -> str:
    """What an error's body says, without the lines that only help the service's owner."""
    try:
        text = str(orjson.loads(content)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = content.decode("utf-8", "replace")
    return text.partition("\r\n")[0][:500]


class Progress:
    """A line on stderr that tells how many items have gone and how fast."""

    def __init__(self, clock: Clock, total: int | None) -> None:
        self._clock = clock
        self._total = total
        self._started = self._told = clock.now()
        self.count = 0

    def step(self) -> None:
        """One more item."""
        self.count += 1
        if self._clock.now() - self._told >= PROGRESS_SECONDS:
            self.tell(end="\r")

    def tell(self, end: str = "\n") -> None:
        """Write the line."""
        self._told = self._clock.now()
        rate = self.count / max(self._told - self._started, 1e-9)
        bar = ""
        if self._total:
            filled = min(30 * self.count // self._total, 30)
            bar = f"[{'#' * filled}{'.' * (30 - filled)}] "
        print(f"{bar}{self.count} items, {rate:.0f}/s", end=end, file=sys.stderr, flush=True)


async def export_items(remote: Remote, file: IO[bytes], progress: Progress) -> None:
    """Write every item as a line."""
    async for item in remote.items():
        file.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
        progress.step()


async def import_items(remote: Remote, lines: Iterator[bytes], progress: Progress) -> None:
    """Upsert every line's item. Raises TransferError, naming the line, when what is on its way has arrived."""
    definition = await remote.definition()
    numbered = enumerate(lines, 1)
    refused: list[TransferError] = []

    async def worker() -> None:
        for number, line in numbered:
            if refused:
                return
            if not line.strip():
                continue
            try:
                await _upsert(remote, definition, _item(line))
            except TransferError as failure:
                refused.append(TransferError(f"line {number}: {failure}"))
                return
            progress.step()

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())
    if refused:
        raise refused[0]


async def _upsert(remote: Remote, definition: Definition, item: dict[str, Any]) -> None:
    mine = {name: value for name, value in item.items() if name not in (*SYSTEM_PROPERTIES, "_lsn")}
    headers = {
        "x_ms_documentdb_partitionkey": canonical(definition.of_document(mine)),
        "x_ms_documentdb_is_upsert": "True",
        "prefer": "return=minimal",
    }
    await remote.call("POST", "docs", f"{remote.path}/docs", orjson.dumps(mine), **headers)


def _item(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES_MAX:
        raise TransferError(f"no item is longer than {LINE_BYTES_MAX} bytes; the file must have one a line")
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError as failure:
        raise TransferError(f"no JSON: {failure}") from None
    if not isinstance(item, dict):
        raise TransferError("no item: the file must have one JSON object a line")
    return item


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """A file's lines from its beginning, in pieces where one is too long; a byte order mark is nobody's."""
    file.seek(0)
    file.seek(len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
    while line := file.readline(LINE_BYTES_MAX + 1):
        yield line


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes `path`'s place once all is written; a pipe or terminal is written as it is."""
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.replace(path)


async def run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks. Raises TransferError."""
    clock = Clock()
    path = f"dbs/{arguments.database}/colls/{arguments.container}"
    async with aiohttp.ClientSession() as session:
        remote = Remote(session, arguments.url.rstrip("/"), decode_key(arguments.key), path, clock)
        if arguments.action == "export":
            progress = Progress(clock, await remote.count())
            with _written_whole(arguments.file) as file:
                await export_items(remote, file, progress)
            progress.tell()
        else:
            with arguments.file.open("rb") as file:
                progress = Progress(clock, sum(1 for line in lines_of(file) if line.strip()))
                try:
                    await import_items(remote, lines_of(file), progress)
                finally:
                    progress.tell()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the process's exit code."""
    parser = argparse.ArgumentParser("emulators.cosmos.transfer", description=__doc__)
    parser.add_argument("action", choices=("export", "import"))
    parser.add_argument("database")
    parser.add_argument("container")
    parser.add_argument("file", type=Path, help="NDJSON, one item a line")
    parser.add_argument(
        "--url", type=_endpoint, default="http://127.0.0.1:8081", help="the account's endpoint (default: %(default)s)"
    )
    parser.add_argument("--key", default=WELL_KNOWN_KEY, help="account key (default: the well-known one)")
    chosen = parser.parse_args(arguments)
    code = 0
    try:
        asyncio.run(run(chosen))
    except* (TransferError, KeyFormatError, aiohttp.ClientError, OSError) as failures:
        failure = failures.exceptions[0]
        print(failure, file=sys.stderr)
        if isinstance(failure, aiohttp.ClientConnectorCertificateError):
            print("An emulator that serves https prints what to export, so that it is trusted.", file=sys.stderr)
        code = 1
    return code


def _endpoint(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no endpoint: give http://… or https://…")
    return text


if __name__ == "__main__":
    sys.exit(main())
