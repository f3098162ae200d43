"""What clients can ask for, a module for each resource: async functions from a `Call` to a `Response`.

An operation validates, reads or writes the store, and answers; it raises `Refused` for every error. Which path and
verb lead to which operation is in `routes`. A reader of items goes: `container = call.container()`, `scopes =
scopes_of(call, container)` (headers to physical partitions), `check_session` for each, rows from `store.documents`
(`select`, `scan`), `await store.database.settled()`, then `answer(call, 200, body, charge=…, headers={
**container_headers(call, container, range_or_none), "x-ms-item-count": …})`. `feed` is the shortest example.
"""
