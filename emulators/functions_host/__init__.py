"""The Functions host: a drop-in for `func start` that runs any app of the Python v2 programming model.

It must not know the Cosmos DB and Event Grid emulators (it meets them over the wire, as Azure's does), nor our own
app. `supervisor` owns the socket and the `worker` processes; in a worker, `application` puts the rooms together. A new
trigger is a row of `registry.TRIGGERS`, a new binding a row of `connector`.
"""
