"""Every number of the operator's commands that bounds something: its unit and why it is that much."""

ATTEMPTS_MAX = 8
"""Tries of one step while the store is throttled or away: with the pauses below some two minutes, longer than a
failover or a restart takes, shorter than an operator waits before looking."""
PAUSE_SECONDS = 0.5
"""Before the second try; doubles with each further one. A store that names a time is waited for as it asks."""
PAUSE_SECONDS_MAX = 30.0

GRACE_SECONDS = 60.0
"""How long after its publication an event may be on its way before its absence counts: two of Event Grid's first
retries (10 s, 30 s) and some time for the projection."""
LOOKS_AT_ONCE = 16
"""Orders that are looked at again, repaired or copied at a time."""
FINDINGS_KEPT_MAX = 1000
"""Differences, dead letters and the like that a report names; the rest is counted, or trouble would fill the memory."""
FINDINGS_SHOWN_MAX = 20
"""Of these, how many a table shows."""
WAIT_LOOK_SECONDS = 2.0
"""Pause between two comparisons while `verify --wait` waits for what is in flight."""

COPY_ORDERS = 200
"""Orders copied between two notes in the journal: what a killed rebuild does again at most."""
COPY_EVENTS_MAX = 99
"""Events of one order saved at once: a transactional batch takes 100 operations, one of them writes the view."""
EMPTY_FACTOR_MAX = 3
"""A generation that is being emptied may show its documents so many times; then somebody writes into it."""
VERIFY_PASSES_MAX = 3
"""Comparisons, each with repair, before a rebuild gives up on its new generation."""
LEASE_SECONDS = 60.0
"""How long a rebuild that says nothing keeps others from going on with it. Renewed after a third of it."""
POINTER_WAIT_FACTOR = 2.0
"""A rebuild waits so many times as long as a process may trust what it knows of the pointer: once because of the
cache, and as much again for clocks that run at different speeds and requests that are slow."""
POINTER_CHANGES_MAX = 5
"""Tries to change the pointer while somebody else does, too."""

LETTER_BYTES_MAX = 16 * 1024 * 1024
"""Of a blob with dead letters. Event Grid writes events of at most 1 MB, a few to a blob."""
RELAY_PORTIONS_MAX = 1000
"""Portions that one run of `relay` publishes: half a million events."""
STORAGE_RETRIES_MAX = 3
STORAGE_RETRY_SECONDS = 1
"""The storage SDK's own (from 15 s on, growing) would keep an operator with a wrong address waiting for minutes."""

RETAIN_DAYS_MIN = 2
"""Events younger than Event Grid's longest time to live (24 h), and a day for redriving, may still arrive: were their
traces gone by then, they would be history again."""
RETAIN_DAYS_MAX = 36500
SETTINGS_BYTES_MAX = 1024 * 1024
"""Of a settings file."""
