"""Local Azure in a pip install: emulators of Cosmos DB, Event Grid and the Functions host.

Each runs alone (`python -m emulators.cosmos`, `.eventgrid`, `.functions_host`), speaks the real service's wire
protocol, and is met by the unmodified official SDKs. They share `emulators.base` and never import each other.
"""
