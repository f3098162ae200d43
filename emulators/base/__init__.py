"""What all three emulators stand on: serving, clock, ids, SQLite, faults, control endpoints, TLS.

Nothing here knows Cosmos DB, Event Grid or Functions.
"""
