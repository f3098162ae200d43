"""The unmodified JavaScript SDK against the Event Grid emulator: `journey.mjs`, run by the Node that PyPI gives."""
