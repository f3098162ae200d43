"""Splitting a physical partition in two, as the service does when one grows too large or too busy.

The children carry the parent's LSN on, so that session tokens and change feed tokens stay true; documents keep their
positions, so that their rids and order do.
"""

from __future__ import annotations

import apsw

from emulators.cosmos.store.catalog import Catalog, Container, Range
from emulators.cosmos.store.documents import lsn_of


def split(connection: apsw.Connection, catalog: Catalog, container: Container, parent: Range) -> list[Range]:
    """Close `parent` and open two ranges over the halves of its hash space; the children."""
    middle = container.partition_key.middle(parent.low, parent.high)
    bounds = [(parent.low, middle), (middle, parent.high)]
    ancestors = (*parent.parents, parent.id)
    children = catalog.add_ranges(container.number, bounds, parents=ancestors, lsn=lsn_of(connection, parent))
    connection.execute("UPDATE range SET open=0 WHERE place=?", (parent.place,))
    for child in children:
        moved = (child.place, parent.place, child.low, child.high)
        connection.execute("UPDATE document SET place=? WHERE place=? AND epk>=? AND epk<?", moved)
        connection.execute("UPDATE version SET place=? WHERE place=? AND epk>=? AND epk<?", moved)
    catalog.forget()
    return children
