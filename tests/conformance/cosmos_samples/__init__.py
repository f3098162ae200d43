"""Microsoft's samples for azure-cosmos, as they are published."""
