"""The composition root: the only room that sees the app and all emulators (`python -m local up | demo | replay …`)."""

import sys

# Said here, in words any Python 3 can read, since the modules below are syntax errors to an older one.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("Python 3.11, 3.12 or 3.13 is needed; this is %s (%s)." % (sys.version.split()[0], sys.executable))  # noqa: UP031
