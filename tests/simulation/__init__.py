"""Every crash point of the order service, explored: its own code and the real Azure SDKs on the real emulators, in one
process, on a clock that jumps. `python -m tests.simulation --help` explores more and replays what failed."""
