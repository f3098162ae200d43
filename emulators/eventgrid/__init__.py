"""Azure Event Grid on this machine: publishing, subscriptions and delivery with the service's own semantics.

`python -m emulators.eventgrid` serves it; `application.create` makes it in process. Read `application.py` first (what
is wired to what), then `publish.py` (how events come in), `worker.py` and `delivery.py` (how they go out).
"""
