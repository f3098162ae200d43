"""Every refusal of the query language: its code, its words, and where they are known from.

Texts marked [recorded] come from the service: its recorded query plans, the SDKs' baselines, answers in issue reports.
The others are from documentation or our own.
HTTP is not known here: `emulators/cosmos/evaluation.py` puts these into the service's body.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a query text: 0-based character offsets, the end exclusive; None where none is told."""

    code: str | int
    message: str
    start: int | None = None
    end: int | None = None


class QueryRefused(Exception):
    """A query that the service answers with 400 and a list of findings with positions."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{each.code} {each.message}" for each in findings))
        self.findings = findings


class QueryUnservable(Exception):
    """A query that is well formed and still refused with 400 (index policy, plan, continuation); the text says why."""


class QueryUnbuilt(Exception):
    """A part of the language that the service has and this emulator has not: answered with 501 naming it."""


MESSAGES = {
    "SC1001": "Syntax error, incorrect syntax near '{near}'.",  # [recorded]
    "SC1002": "Syntax error, incorrect syntax near '{near}'. The query is nested deeper than {limit} levels.",
    "SC1010": "Syntax error, unexpected end of input.",
    "SC1012": "Syntax error, invalid string literal token '{near}'.",
    "SC1013": "Syntax error, invalid numeric value token '{near}'.",
    "SC2001": "Identifier '{name}' could not be resolved.",
    "SC2005": "'{name}' is not a recognized built-in function name.",  # [recorded]
    "SC2011": "Alias '{name}' is used more than once in the FROM clause.",
    "SC2012": "Property name '{name}' is used more than once in the SELECT clause.",
    "SC2040": "'SELECT *' is not valid if FROM clause is omitted.",
    "SC2041": "'SELECT *' is not allowed with GROUP BY.",  # [recorded]
    "SC2042": "'SELECT *' is only valid with a single input set.",
    "SC2050": "The {name} function requires {arity} argument(s).",  # [recorded]
    "SC2060": "The count value provided for a TOP clause must be an integer.",  # [recorded]
    "SC2061": "The LIMIT count value exceeds the maximum allowed value.",  # [recorded]
    "SC2062": "The OFFSET count value exceeds the maximum allowed value.",  # [recorded]
    "SC2101": "Cannot perform an aggregate function on an expression containing an aggregate or a "
    "subquery.",  # [recorded]
    "SC2102": "Property reference '{name}' is invalid in the select list because it is not contained in either an "
    "aggregate function or the GROUP BY clause.",  # [recorded]
    "SC2104": "Aggregate functions are not allowed in the {clause} clause.",
    "SC2105": "Property reference '{name}' is invalid in the ORDER BY clause because it is not contained in either an "
    "aggregate function or the GROUP BY clause.",
    "SC2202": "'ORDER BY' is not supported in subqueries.",  # [recorded]
    "SC2203": "'TOP' is not supported in subqueries.",  # [recorded]
    "SC2204": "'OFFSET LIMIT' clause is not supported in subqueries.",  # [recorded]
    "SC2211": "TOP and OFFSET LIMIT cannot be used in the same query.",
    "SC2213": "The '{option}' value {value} specified in the VectorDistance function is outside the supported range. "
    "The value must be between {least} and {most}.",  # [recorded]
    "SC2221": "The ORDER BY RANK clause must be followed by a VectorDistance and/or a FullTextScore function "
    "call.",  # [recorded]
    "SC2223": "The FROM clause with the IN operator is not allowed with the ORDER BY RANK clause.",  # [recorded]
    "SC2224": "The JOIN operator is not allowed with the ORDER BY RANK clause.",  # [recorded]
    "SC2225": "Subqueries in the FROM clause are not allowed with the ORDER BY RANK clause.",  # [recorded]
    "SC2228": "The ORDER BY RANK clause is not supported in subqueries.",  # [recorded]
    "SC2229": "The last parameter of the RRF function is an optional array of weights. When present, it must be a "
    "literal array of numbers, one for each of the component scores used for the RRF function. The length of this "
    "array must be the same as the number of the component scores.",  # [recorded]
    "SC2240": "The FullTextScore function is only allowed in the ORDER BY RANK clause.",  # [recorded]
    "SC2990": "The specified query includes '{feature}' which is currently not supported.",  # [recorded]
    "SC3002": "The SQL query exceeded the maximum number of joins. The allowed limit is {limit}.",
    "SC3003": "The query has more than {limit} {operator} operators.",
    "SC3004": "The IN clause has more than {limit} items.",
    "SC3005": "The SQL query exceeded the maximum number of user-defined function calls. The allowed limit is "
    "{limit}.",  # [recorded]
    "SC3007": "The query has more than {limit} expressions.",
    "SC3020": "The SQL query text exceeded the maximum limit of {limit} characters.",  # [recorded]
}


def finding(code: str, start: int, end: int, **words: object) -> Finding:
    """The finding of that code at that place."""
    return Finding(code, MESSAGES[code].format(**words), start, end)


def refused(code: str, start: int, end: int, **words: object) -> QueryRefused:
    """The refusal with one finding."""
    return QueryRefused([finding(code, start, end, **words)])


NO_DOCUMENT_PATH = Finding(
    2206, "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."
)
"""[recorded] A number for a code, and no place."""
GATHERED_SOURCE = (
    "A cross partition query with aggregates over a subquery with GROUP BY or DISTINCT is not supported, except for "
    "the COUNT of DISTINCT rows."
)
"""Documented (the DISTINCT and GROUP BY references), in our words."""
COMPOSED_AGGREGATES = "Compositions of aggregates and other expressions are not allowed."
"""[recorded] The planner's refusal; the engine runs such queries over one range."""
