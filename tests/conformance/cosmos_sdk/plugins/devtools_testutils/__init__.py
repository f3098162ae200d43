"""Stands in for a package of Microsoft's that is not published: the names that the suite imports from it."""

from devtools_testutils.azure_recorded_testcase import get_credential  # type: ignore[import-not-found]
from devtools_testutils.helpers import is_live  # type: ignore[import-not-found]

__all__ = ["get_credential", "is_live"]
