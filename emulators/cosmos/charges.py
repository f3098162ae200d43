"""What an operation costs in request units: one documented model, the same answer for the same request.

Anchors (learn.microsoft.com/azure/cosmos-db/request-units): a point read of 1 KB is 1 RU, of 100 KB 10 RU; creating
1 KB without an index is about 5 RU. Between and beyond we draw straight lines, and count an indexed property as 0.2.
Real charges differ with data and load; ratios between operations are what these are good for.
"""

from __future__ import annotations

METADATA = 1.0
"""Reading an account's, database's or container's description. Our choice (the service says 1 to 2)."""
METADATA_WRITE = 4.95
"""Making or changing one. Our choice."""
REFUSED = 1.0
"""A request that is refused before it reaches data. Our choice."""
REFUSED_WRITE = 1.24
"""A write that fails on a conflict (reported for the service in azure-cosmos issues)."""
REFUSED_THROTTLED = 0.38
"""A request that is refused for want of request units (seen in reports of 429 answers)."""
QUERY_BASE = 2.3
"""Opening a query on one physical partition."""
QUERY_PER_DOCUMENT = 0.05
"""Loading one document in a query."""

SCRIPT = 1.0
"""Running a stored procedure, beside what it does. Our choice."""

_READ_PER_KB = 9 / 99
_WRITE_BASE = 4.5
_WRITE_PER_KB = 0.5
_WRITE_PER_PROPERTY = 0.2
_KB = 1024


def read(size_bytes: int) -> float:
    """A point read of a document of this size, at session consistency or weaker."""
    return 1.0 + _READ_PER_KB * max(0.0, size_bytes / _KB - 1)


def write(body: bytes, *, indexed: bool = True) -> float:
    """Creating or deleting a document with this body."""
    properties = body.count(b'":') if indexed else 0
    return _WRITE_BASE + _WRITE_PER_KB * len(body) / _KB + _WRITE_PER_PROPERTY * properties


def replace(body: bytes, *, indexed: bool = True) -> float:
    """Replacing a document by one with this body: as many index terms go as come, as far as anybody can tell."""
    return write(body, indexed=indexed) + (_WRITE_PER_PROPERTY * body.count(b'":') if indexed else 0)


def page(documents: int, size_bytes: int) -> float:
    """A page of a feed or a query that loaded so many documents of so many bytes."""
    return QUERY_BASE + QUERY_PER_DOCUMENT * documents + _READ_PER_KB * size_bytes / _KB
