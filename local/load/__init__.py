"""Two loads that stop by themselves: `backlog` fills Event Grid while the read side is down, `race` sends every change
of an order from many clients at once. Each runs a throw-away stack, counts, and compares both sides in the end.
"""


class RaceTooLong(Exception):
    """An order's life has not so many changes. The text says what to give instead."""
