"""One module per trigger: how it listens, and what it hands to an invocation. None knows another."""
