"""Words of English that say nothing of a text: they do not count for its length when texts are ranked.

Which they are is read off the ranks recorded of the service (azure-cosmos-client-engine: baselines/queries/hybrid;
azure-cosmos-dotnet-v3: HybridSearchQueryTests). Of the lists in common use only Microsoft's own for English, that of
SQL Server's full-text search, gives all texts the order that was recorded.
"""

from __future__ import annotations

import string

_WORDS = """
about after all also an and another any are as at be because been before being between both but by came can come could
did do does each else for from get got had has have he her here him himself his how if in into is it its just like
make many me might more most much must my never no now of on only or other our out over re said same see should since
so some still such take than that the their them then there these they this those through to too under up use very
want was way we well were what when where which while who will with would you your
"""
STOP_WORDS = frozenset(_WORDS.split()) | frozenset(string.ascii_lowercase + string.digits)
