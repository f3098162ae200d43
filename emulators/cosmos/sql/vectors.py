"""Which distance a vector call measures, and so which way an ORDER BY of it runs: from its options or the container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulators.cosmos.sql.functions.vectors import DEFAULT_DISTANCE, nearer_is_less
from emulators.cosmos.sql.nodes import Call, Constant, Expression, ObjectLiteral, SortKey, path

VectorPolicy = Mapping[str, Mapping[str, Any]]
"""The container's vector embeddings by path."""
NO_VECTORS: VectorPolicy = {}
VECTOR_CALLS = frozenset({"VECTORDISTANCE", "_VECTORSCORE"})


def is_vector_call(node: Expression) -> bool:
    """Whether a node is VectorDistance, or the planner's name for it."""
    return isinstance(node, Call) and not node.udf and node.function in VECTOR_CALLS


def embedding_path(call: Call) -> str | None:
    """The path of the stored vector that a call measures."""
    for argument in call.arguments[:2]:
        found = path(argument)
        if found is not None and found[1]:
            return "".join(f"/{step}" for step in found[1])
    return None


def distance_of(call: Call, policy: VectorPolicy) -> str:
    """The name of the distance function: the call's own, else the container's, else the default."""
    if len(call.arguments) > 3 and isinstance(call.arguments[3], ObjectLiteral):
        for name, value in call.arguments[3].members:
            if name == "distanceFunction" and isinstance(value, Constant) and isinstance(value.value, str):
                return value.value
    return str(policy.get(embedding_path(call) or "", {}).get("distanceFunction", DEFAULT_DISTANCE))


def runs_down(key: SortKey, policy: VectorPolicy) -> bool:
    """Whether a sort key runs downwards; without a direction a vector call runs from the best match on."""
    expression = key.expression
    if key.direction or not isinstance(expression, Call) or not is_vector_call(expression):
        return key.descends
    return expression.function == "_VECTORSCORE" or not nearer_is_less(distance_of(expression, policy))
