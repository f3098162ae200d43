"""The Cosmos DB emulator through its public doors: the unmodified SDKs and plain HTTP."""
