"""What the service's query advisor would say of a query: rules by their ids, each with what it looks for. Pure.

The rules and their ids are those that azure-cosmos explains (`_query_advisor/query_advice_rules.json`); their order is
that of the .NET SDK's recorded advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from emulators.cosmos.sql.nodes import Binary, Call, Constant, Expression, Query, children, path

_CASELESS_STARTS = frozenset({"STARTSWITH", "STRINGEQUALS"})
_FOLDS = frozenset({"UPPER", "LOWER"})
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})


def advice(query: Query) -> list[str]:
    """The ids of the rules that a query meets: those of WHERE in their order, then those of clocks in SELECT."""
    found = _rules(_CALLS, query.where)
    if query.select.distinct and len(query.sources) > 1:
        found.add("QA1001")
    if any(path(key) is None for key in query.group_by):
        found.add("QA1005")
    if any(_folds_case(node) for node in _below(query.where)):
        found.add("QA1006")
    selected = set().union(*(_rules(_CLOCKS, item.expression) for item in query.select.items))
    return [*sorted(found), *sorted(selected - found)]


def _rules(rules: Mapping[str, Callable[[Call], bool]], expression: Expression | None) -> set[str]:
    calls = [node for node in _below(expression) if isinstance(node, Call) and not node.udf]
    return {rule for rule, meets in rules.items() if any(map(meets, calls))}


_CLOCKS: dict[str, Callable[[Call], bool]] = {
    "QA1007": lambda call: call.function == "GETCURRENTDATETIME",
    "QA1008": lambda call: call.function == "GETCURRENTTICKS",
    "QA1009": lambda call: call.function == "GETCURRENTTIMESTAMP",
}
_CALLS: dict[str, Callable[[Call], bool]] = {
    "QA1000": lambda call: call.function == "ARRAY_CONTAINS" and _is_true(call, 2),
    "QA1002": lambda call: call.function == "CONTAINS",
    "QA1003": lambda call: call.function in _CASELESS_STARTS and _is_true(call, 2),
    "QA1004": lambda call: call.function == "ENDSWITH" and _is_true(call, 2),
    **_CLOCKS,
}


def _is_true(call: Call, number: int) -> bool:
    return len(call.arguments) > number and call.arguments[number] == Constant(True, "boolean")


def _folds_case(node: Expression) -> bool:
    return (
        isinstance(node, Binary)
        and node.operator in _COMPARISONS
        and any(isinstance(side, Call) and side.function in _FOLDS for side in (node.left, node.right))
    )


def _below(node: Expression | None) -> Iterator[Expression]:
    if node is not None:
        yield node
        for child in children(node):
            yield from _below(child)
