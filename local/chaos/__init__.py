"""`python -m local chaos`: the whole stack under a load of orders while its processes die, stall and starve.

`load` sends commands and remembers what it was answered, `disasters` do the harm, `tally` adds up what Event Grid did,
`judgement` heals, waits and counts; `run` puts them together. Everything is bounded by --minutes
and repeats its decisions by --seed.
"""
