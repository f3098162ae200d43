"""Event Grid namespaces: topics with pull delivery, beside the custom topics of the room above.

Read `broker.py` first (what happens to an event), then `store.py` (where it waits), `data_plane.py` and `management.py`
(the two faces over HTTP). Push delivery and MQTT are not built and say so by name.
"""
