"""The language's numbers, each with its unit and source."""

QUERY_CHARACTERS_MAX = 512 * 1024
"""Documented limit of a query text (concepts-limits: 512 KB)."""
JOINS_MAX = 10
"""Documented (concepts-limits: 10 JOINs per query)."""
UDF_CALLS_MAX = 10
"""Documented (concepts-limits: 10 UDFs per query)."""
IN_ITEMS_MAX = 16_000
"""queryEngineConfiguration.maxInExpressionItemsCount, recorded."""
LOGICAL_OPERATORS_MAX = 500
"""queryEngineConfiguration.maxLogicalAndPerSqlQuery and …Or…, recorded: of each kind, per query."""
EXPRESSION_DEPTH_MAX = 64
"""Brackets, calls and subqueries inside each other: our choice; a level takes a dozen of the interpreter's 1,000."""
TREE_DEPTH_MAX = 250
"""Operators and steps below each other, brackets or not (1 + 1 + … is one a sign): our choice, for the same reason."""
VALUE_DEPTH_MAX = 128
"""Levels of an array or object that a text is turned into: an item's own limit."""
EXPRESSIONS_MAX = 200_000
"""Syntax nodes in one query: our choice, what 512 KB of ordinary text cannot reach."""
COUNT_VALUE_MAX = 2**32 - 1
"""TOP, OFFSET and LIMIT, recorded: 4294967296 is refused, 4294967295 is not."""
STEPS_PER_DOCUMENT_MAX = 500_000
"""Values that JOIN and subqueries may take from one document's arrays: our choice, at worst two thirds of a second in
which nobody else is answered (where they give no row); the service cuts by time."""
STRING_CHARACTERS_MAX = 10_000
"""REPLICATE's documented result limit."""
COLLECTED_VALUES_MAX = 1_000_000
"""Values that one MAKELIST, or DISTINCT in a subquery, may hold at once: our choice, for bounded memory."""
VALUES_HELD_MAX = 10_000
"""Distinct values in memory before further ones go to a shelf on disk: our choice, some tens of megabytes at most."""
GROUPS_HELD_MAX = 20_000
"""Groups in memory before rows of further ones go to a shelf on disk: our choice."""
MARKS_HELD_MAX = 100_000
"""Sort keys in memory before they all go to a shelf on disk: our choice."""
PARSED_QUERIES_KEPT = 512
"""Query texts whose compiled form is kept: our choice."""
REGEX_BYTES_MAX = 8 * 1024 * 1024
"""Memory of one compiled RegexMatch pattern, its states while it runs included: RE2's own default."""
REGEX_CHARACTERS_MAX = 4_096
"""Length of a RegexMatch pattern: our choice."""
KEY_BOXES_MAX = 16_000
"""Alternatives of partition keys that a plan looks at before it gives up and asks every partition: our choice."""
GEOMETRY_POINTS_MAX = 4_096
"""Documented (concepts-limits: points per polygon)."""
COMPONENT_RESULTS_MIN = 120
"""Rows each partition brings for a search's score at least, recorded in the service's plans."""
GLOB_CHARACTERS_MAX = 1_000
"""Length of a word that SQLite looks for by a pattern, far below its own limit of 50,000: our choice."""
SEARCH_LIST_MIN, SEARCH_LIST_MAX = 1, 100
"""VectorDistance's searchListSizeMultiplier, recorded in the .NET SDK's LINQ baselines."""
PUSHED_TERMS_MAX = 500
"""Bindings of a condition handed to SQLite, far below its own limit of 32,766: our choice."""
