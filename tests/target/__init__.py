"""`pytest --target=azure`: the same tests against a real account instead of the emulators, and what differs there.

docs/TARGET.md says how to run them. It must not know what the tests are about.
"""
