"""Every parser that meets the network, fed with bytes that nobody means.

`targets` says what is fed and how it may refuse. The tests feed each with Hypothesis; `python -m tests.fuzz` goes on
for as long as one likes, led by coverage where atheris is installed, and by chance elsewhere.
"""
