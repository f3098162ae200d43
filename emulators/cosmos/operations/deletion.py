"""Delete by partition key (POST operations/partitionkeydelete): all items of one logical partition.

The service deletes in the background and hides the items at once; here they are gone in one transaction.
"""

from __future__ import annotations

import apsw

from emulators.base.serving import Response
from emulators.cosmos import charges, errors
from emulators.cosmos.errors import Refused
from emulators.cosmos.partitioning import canonical
from emulators.cosmos.store.documents import Scope, Writer, delete_all
from emulators.cosmos.wire import Call, answer, container_headers


async def delete_partition(call: Call) -> Response:
    """POST operations/partitionkeydelete."""
    if call.target.names[2] != "partitionkeydelete":
        raise Refused(errors.NOT_BUILT, f"The operation '{call.target.names[2][:100]}' is not implemented.")
    container = call.container()
    key = call.partition_key(container)
    _, range_ = container.range_of_key(key)
    low, high = container.partition_key.interval(key)
    scope = Scope(container, range_, call.now, low, high, canonical(key))

    def work(connection: apsw.Connection) -> int:
        writer = Writer(connection, container, range_, call.now, creates=0)
        delete_all(connection, scope, writer)
        return writer.lsn

    lsn = await call.account.store.database.write(work)
    headers = container_headers(call, container, range_, lsn or None)
    return answer(call, 200, charge=charges.METADATA_WRITE, headers=headers)
