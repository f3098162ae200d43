"""The test suite inside azure-cosmos's source distribution, run against the Cosmos DB emulator.

`tests.tsv` lists its tests by set (S: Microsoft runs them on its emulator, Q: queries and long ones on live accounts,
V: vector and full text), those that pass on any server (free), and their area. `passing.txt` is what passes here; it
only grows. `suite` fetches and prepares the tests, `run` runs them, `plugins` is what pytest loads beside them.
"""
