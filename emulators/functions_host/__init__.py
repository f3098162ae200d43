"""The Functions host: a drop-in for `func start` that runs any app of the Python v2 programming model.

It must not know the Cosmos DB and Event Grid emulators (it meets them over the wire, as Azure's does), nor our own
app. README.md of this folder says how a process is laid out and where to change what.
"""
