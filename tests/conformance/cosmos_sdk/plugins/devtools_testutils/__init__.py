"""Stands in for a package of Microsoft's that is not published: the names that the suite imports from it."""

import sys

from devtools_testutils import live  # type: ignore[import-not-found]
from devtools_testutils.azure_recorded_testcase import get_credential  # type: ignore[import-not-found]

sys.modules["devtools_testutils.helpers"] = live  # what the suite calls it
is_live = live.is_live

__all__ = ["get_credential", "is_live"]
