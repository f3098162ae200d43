"""The unmodified JavaScript SDK against the Cosmos DB emulator: `journey.mjs`, run by the Node that PyPI gives."""
