"""The published language of the order service: what the write side says and the read side understands.

Pure: no Azure, no I/O, no clock. Names in here ARE the storage and wire format; an old event must decode for ever,
so change nothing that has been published: add a version in `versions`.
"""

from order_events.envelopes import (
    EVENT_TYPE,
    decode,
    read_document,
    to_cloud_event,
    to_document,
    to_event_grid_event,
)
from order_events.event import (
    ORDER_ID_RULE,
    Moment,
    OrderId,
    OrderStatus,
    OrderStatusUpdated,
    format_moment,
    is_order_id,
)
from order_events.versions import UndecodableEvent, Versions

__all__ = [
    "EVENT_TYPE",
    "ORDER_ID_RULE",
    "Moment",
    "OrderId",
    "OrderStatus",
    "OrderStatusUpdated",
    "UndecodableEvent",
    "Versions",
    "decode",
    "format_moment",
    "is_order_id",
    "read_document",
    "to_cloud_event",
    "to_document",
    "to_event_grid_event",
]
