"""A transaction that a script takes part in: what it may do to the items of one logical partition, all or nothing.

Each operation that fails is taken back by itself and told to the script; what the script does then decides about the
whole. Used by stored procedures and by writes with triggers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import apsw
import orjson

from emulators.cosmos import charges, errors, limits
from emulators.cosmos.continuation import Position, read_position, write_position
from emulators.cosmos.documents import check_id, parse_document
from emulators.cosmos.errors import Refused
from emulators.cosmos.evaluation import computed_properties, context_of, functions_of
from emulators.cosmos.operations.draft_queries import DraftQuery
from emulators.cosmos.operations.items import CREATED, NO_CONTENT, OK, create_in, delete_in, replace_in, upsert_in
from emulators.cosmos.partitioning import Key
from emulators.cosmos.scripts.dialogue import Dialogue, Outcome, Script
from emulators.cosmos.sessions import check_session
from emulators.cosmos.store.catalog import Container, Range, Resource
from emulators.cosmos.store.documents import Address, Stored, address, id_of_rid
from emulators.cosmos.store.drafts import Draft, Outdated
from emulators.cosmos.wire import Call

Result = TypeVar("Result")
_PREFIX = "Message: "


class Transaction:
    """Items of the partition `key` as scripts see and change them, and what that has cost so far."""

    def __init__(self, call: Call, container: Container, key: Key) -> None:
        self._call = call
        self._store = call.account.store
        self._draft = _draft(call, container, key)
        self.container = container
        self.key = key
        self.charge = 0.0

    @property
    def range(self) -> Range:
        """The physical partition that the items are in."""
        return self._draft.range

    async def run(self, script: Script) -> Outcome:
        """Run a script in this transaction. Raises Refused."""
        return await Dialogue(self._call.account.scripts).run(script, self.perform)

    async def commit(self) -> int:
        """Write everything; the range's LSN then. Raises Outdated when others have changed what was read."""
        return await self._store.database.write(self._draft.commit)

    def close(self) -> None:
        """Forget what was not committed."""
        self._draft.close()

    async def perform(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """What came of one operation that a script asks for, in the form that it is told."""
        try:
            return await _OPERATIONS[wanted["operation"]](self, wanted)
        except Refused as refused:
            self.charge += refused.charge
            return {"error": {"number": refused.kind.status, "body": _told(refused)}}

    async def write(
        self, operation: str, document: dict[str, Any] | None, name: str, if_match: str
    ) -> tuple[int, Stored | None]:
        """(status, what is stored then) of a create, upsert, replace or delete. Raises Refused."""
        at = self._draft.at(name)
        await self._bring(name)
        if document is not None and operation == "replace":
            await self._bring(check_id(document))  # the item may get another id
        if operation in ("create", "upsert") and not self._draft.has_places:
            await self._store.database.write(self._reserve)
        connection = self._draft.connection
        connection.execute("SAVEPOINT operation")
        try:
            status, stored, charge = self._write_now(operation, document, at, if_match)
        except Refused:
            connection.execute("ROLLBACK TO operation; RELEASE operation")
            raise
        connection.execute("RELEASE operation")
        self.charge += charge
        return status, stored

    async def read(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """An item by its id or rid."""
        name = self._name(wanted)
        await self._bring(name)
        found = self._draft.writer.find(self._draft.at(name))
        if found is None:
            raise Refused(errors.NOT_FOUND)
        if wanted["ifNoneMatch"] in (found.etag, "*"):
            self.charge += charges.REFUSED
            return {"body": None, "options": {"notModified": True}}
        self.charge += charges.read(len(found.body))
        return {"body": found.body.decode(), "options": {}}

    async def query(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of a query's results."""
        text, given = wanted.get("query"), wanted.get("parameters") or []
        size, token = wanted.get("pageSize"), wanted.get("continuation")
        if not isinstance(text, str) or not isinstance(size, int) or not isinstance(token, str):
            raise Refused(errors.BAD_REQUEST)
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise Refused(errors.BAD_REQUEST)
        await self._bring_all()
        parameters = {str(each.get("name")): each.get("value") for each in given}
        query_key = (self.container.resource.rid, text, parameters)
        account = self._call.account
        start = read_position(account.key, query_key, token) if token else Position()
        size = size if 0 < size <= limits.PAGE_ITEMS_MAX else limits.PAGE_ITEMS_MAX
        async with functions_of(self._call, self.container, text, in_script=True) as functions:
            context = context_of(self._call, parameters, self.container, functions.call)
            asked = DraftQuery(self._draft.connection, self._draft.scope, context, functions)
            page = await asked.page(text, computed_properties(self.container), start, size)
        self.charge += page.charge
        body = b"[" + b",".join(page.results) + b"]"
        options = {} if page.more is None else {"continuation": write_position(account.key, query_key, page.more)}
        return {"body": body.decode(), "options": options}

    async def change(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """A create, upsert, replace or delete as a script asks for it."""
        operation = wanted["operation"]
        document = None if operation == "delete" else parse_document(wanted["body"].encode("utf-8", "replace"))
        if document is not None and wanted.get("makesId"):
            document["id"] = self._call.account.ids.guid()
        named = operation in ("replace", "delete")
        name = self._name(wanted) if named or document is None else check_id(document)
        _, stored = await self.write(operation, document, name, wanted.get("ifMatch", ""))
        return {"body": stored.body.decode() if stored else None, "options": {}}

    def _write_now(
        self, operation: str, document: dict[str, Any] | None, at: Address, if_match: str
    ) -> tuple[int, Stored | None, float]:
        writer, container, key = self._draft.writer, self.container, self.key
        if document is None:
            return NO_CONTENT, None, delete_in(writer, container, at, if_match)
        match operation:
            case "create":
                return CREATED, *create_in(writer, container, key, at, document)
            case "upsert":
                return upsert_in(writer, container, key, at, document, if_match)
        return OK, *replace_in(writer, container, key, at, document, if_match)

    async def _bring(self, name: str) -> None:
        if self.container.unique_keys:  # any item of the partition may hold the value
            await self._bring_all()
        else:
            self._draft.bring(self._store.connection, name)

    async def _bring_all(self) -> None:
        for _ in self._draft.bring_all(self._store.connection):
            await asyncio.sleep(0)

    def _reserve(self, connection: apsw.Connection) -> None:
        self._draft.reserve(connection, limits.SCRIPT_POSITIONS_RESERVED)

    def _name(self, wanted: Mapping[str, Any]) -> str:
        if "id" in wanted:
            return str(wanted["id"])
        for connection in (self._draft.connection, self._store.connection):
            if name := id_of_rid(connection, self.container, wanted["rid"]):
                return name
        raise Refused(errors.NOT_FOUND)


_OPERATIONS: Mapping[str, Callable[[Transaction, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
    "read": Transaction.read,
    "query": Transaction.query,
    "create": Transaction.change,
    "upsert": Transaction.change,
    "replace": Transaction.change,
    "delete": Transaction.change,
}


async def transact(call: Call, work: Callable[[Transaction], Awaitable[Result]]) -> tuple[Result, Transaction, int]:
    """Do `work` in a transaction on the call's partition and commit it; what it came to, and the range's LSN then.

    Done anew when others have changed what it read meanwhile, which it cannot know. Raises Refused: 449 in the end, and
    404 (1002) for a session token that is ahead.
    """
    for _ in range(limits.SCRIPT_ATTEMPTS_MAX):
        container = call.container()
        transaction = Transaction(call, container, call.partition_key(container))
        try:
            check_session(call, container, transaction.range)
            result = await work(transaction)
            return result, transaction, await transaction.commit()
        except Outdated:
            continue
        finally:
            transaction.close()
    raise Refused(errors.RETRY_WITH)


def script_of(call: Call, container: Container, resource: Resource, **more: Any) -> Script:
    """A stored script as it is run for a call on `container`."""
    database = call.account.store.catalog.by_rid(container.resource.parent)
    return Script(
        name=resource.id,
        text=str(resource.body["body"]),
        self_link=str(container.resource.body["_self"]),
        alt_link=f"dbs/{database.id if database else ''}/colls/{container.resource.id}",
        clock_ahead_seconds=call.account.clock.offset_seconds,
        **more,
    )


def _draft(call: Call, container: Container, key: Key) -> Draft:
    at = address(container, key, "")
    return Draft(call.account.store.connection, container, at.range, at.epk, at.pk, call.now)


def _told(refused: Refused) -> str:
    """A refusal as scripts get it: the storage layer's `{"Errors":[…]}`, which the gateway wraps for clients."""
    if refused.kind is errors.PARTITION_KEY_MISMATCH:
        return orjson.dumps({"Errors": [errors.SCRIPT_PARTITION_KEY]}).decode()
    text = refused.text.removeprefix(_PREFIX)
    return text if text.startswith("{") else orjson.dumps({"Errors": [text]}).decode()
