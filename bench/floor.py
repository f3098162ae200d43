"""The least that a Cosmos DB emulator on this server can do: check the signature, run one SQLite statement, answer.

It answers each item operation with what the emulator answered the first time, as `bench.canned` does, but not before
the emulator's own signature check and one statement on a table of the same shape and indexes. What the emulator costs
beyond this is its own doing: reading headers, validating, stamping, counting.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from emulators.base.cli import announce
from emulators.base.clock import Clock
from emulators.base.ids import Ids
from emulators.base.serving import Application, Bind, Request, Response, run
from emulators.cosmos.account import WELL_KNOWN_KEY, Account, decode_key
from emulators.cosmos.application import create
from emulators.cosmos.auth import authorize
from emulators.cosmos.expiry import Sweeper
from emulators.cosmos.scripts.engine import Engine
from emulators.cosmos.store.files import Store
from emulators.cosmos.wire import Target, parse_target

_COLUMNS = "position, place, epk, pk, id, lsn, ts, body"


class Floor:
    """Answers item operations by rote, after one statement each; leaves the rest to an emulator in memory."""

    def __init__(self, directory: Path) -> None:
        clock, ids = Clock(), Ids()
        store = Store(directory, clock, ids)
        self._account = Account("floor", store, clock, ids, decode_key(WELL_KNOWN_KEY), Sweeper(clock), Engine())
        self._emulator = create()
        self._answers: dict[tuple[str, str, str], Response] = {}
        self._first = asyncio.Lock()
        self._made = 0

    def application(self) -> Application:
        """What is served."""
        emulator = self._emulator
        return Application(self.handle, emulator.refuse_body, emulator.body_bytes_max, close=emulator.close)

    async def handle(self, request: Request) -> Response:
        """The answer that this kind of request was given once."""
        target = parse_target(request.raw_path)
        headers = request.headers
        upserts, batches = headers.get("x-ms-documentdb-is-upsert", ""), headers.get("x-ms-cosmos-is-batch-request", "")
        kind = (request.method, target.shape, f"{upserts}|{batches}")
        answer = self._answers.get(kind)
        if answer is None or "docs" not in target.types:
            async with self._first:
                answer = await self._emulator.handle(request)
            if answer.status < 400 and "docs" in target.types:
                self._answers[kind] = answer
            return answer
        authorize(self._account, request, target, "read" if request.method == "GET" else "create")
        await self._statement(request, target)
        return answer

    async def _statement(self, request: Request, target: Target) -> None:
        store = self._account.store
        key = (1, b"\x01", target.names[-1], "1")
        if request.method == "GET":
            store.connection.execute(
                "SELECT CAST(json(body) AS BLOB) FROM document WHERE place=? AND epk=? AND id=? AND pk=?", key
            ).fetchone()
            return
        body = request.body.decode()
        work: Callable[[apsw.Connection], Any]
        if request.method == "POST" and "x-ms-documentdb-is-upsert" not in request.headers:
            self._made += 1
            row = (self._made, 1, b"\x01", "1", f"i{self._made}", self._made, 1, body)

            def work(connection: apsw.Connection) -> Any:
                return connection.execute(
                    f"INSERT INTO document ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,jsonb(?))",
                    row,
                )
        else:
            self._made += 1

            def work(connection: apsw.Connection) -> Any:
                return connection.execute(
                    "INSERT INTO document (position, place, epk, pk, id, lsn, ts, body) "
                    "VALUES (0,1,x'01','1','1',?,1,jsonb(?)) "
                    "ON CONFLICT (place, epk, id, pk) DO UPDATE SET body=excluded.body, lsn=excluded.lsn",
                    (self._made, body),
                )

        await store.database.write(work)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="an empty directory")
    chosen = parser.parse_args()
    run(Floor(chosen.data).application(), Bind(), ready=announce, exits_with_stdin=True)


if __name__ == "__main__":
    main()
