"""An emulator of Azure Cosmos DB for NoSQL (gateway, REST) that the official SDKs cannot tell from the service.

It imports no Azure SDK: a server must not lean on its client.
"""
