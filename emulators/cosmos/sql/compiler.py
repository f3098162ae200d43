"""Syntax tree to program: names become slots, operators and functions become closures. Refuses unknown names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from types import MappingProxyType

from emulators.cosmos.sql import operators
from emulators.cosmos.sql.aggregates import AGGREGATES
from emulators.cosmos.sql.errors import QueryUnservable, refused
from emulators.cosmos.sql.functions import FUNCTIONS, Function
from emulators.cosmos.sql.functions.patterns import like
from emulators.cosmos.sql.functions.vectors import DEFAULT_DISTANCE, DEFAULT_TYPE
from emulators.cosmos.sql.nodes import (
    ArrayLiteral,
    Between,
    Binary,
    Call,
    Conditional,
    Constant,
    Expression,
    In,
    Index,
    Item,
    Like,
    Logical,
    Name,
    ObjectLiteral,
    Parameter,
    Placeholder,
    Property,
    Query,
    Select,
    SortKey,
    Source,
    Subquery,
    Unary,
    walk,
)
from emulators.cosmos.sql.program import BoundAggregate, BoundSource, Evaluator, Frame, Program
from emulators.cosmos.sql.terms import reads_only_its_key
from emulators.cosmos.sql.values import UNDEFINED, Value, equal, order_key
from emulators.cosmos.sql.vectors import embedding_path, is_vector_call, runs_down


class Scope:
    """Which name is in which slot. `container` may still be named by anything at all."""

    def __init__(self, outer: Scope | None = None) -> None:
        self._outer = outer
        self._slots: dict[str, int] = {}

    def bind(self, name: str, slot: int) -> bool:
        """Give a name to a slot; False when the name is taken in this scope."""
        if name in self._slots:
            return False
        self._slots[name] = slot
        return True

    def find(self, name: str) -> int | None:
        """The slot of a name, the innermost first."""
        slot = self._slots.get(name)
        return self._outer.find(name) if slot is None and self._outer else slot

    def names_anything(self) -> bool:
        """Whether any name is bound here or outside."""
        return bool(self._slots) or (self._outer is not None and self._outer.names_anything())


class Compiler:
    """Compiles one query text, nested queries included."""

    def __init__(self) -> None:
        self._slot_numbers = count(1)
        self._slots = 1
        self.container_slot: int | None = None
        """The slot of the documents, once FROM has named the container."""

    def compile(self, query: Query) -> Program:
        """The program of a whole query."""
        program = self._query(query, Scope())
        program.frame_size = self._slots
        return program

    def new_slot(self) -> int:
        """A slot that is no one's yet."""
        self._slots += 1
        return next(self._slot_numbers)

    def _query(self, query: Query, scope: Scope) -> Program:
        sources = tuple(self._source(source, scope) for source in query.sources)
        aggregates: list[BoundAggregate] = []
        plain = ExpressionCompiler(self, scope)
        keys = {key: self.new_slot() for key in query.group_by}
        grouped = ExpressionCompiler(self, scope, aggregates, keys)
        return Program(
            project=self._projection(query, sources, grouped),
            sources=sources,
            where=None if query.where is None else plain.compile(query.where),
            group_keys=tuple(map(plain.compile, keys)),
            key_slots=tuple(keys.values()),
            by_key=reads_only_its_key(query),
            sort_keys=tuple(grouped.sort_key(key) for key in query.order_by),
            aggregates=tuple(aggregates),
            grouped=bool(query.group_by) or bool(aggregates),
            distinct=query.select.distinct,
            top=None if query.select.top is None else plain.compile(query.select.top),
            offset=None if query.offset is None else plain.compile(query.offset),
            limit=None if query.limit is None else plain.compile(query.limit),
        )

    def _source(self, source: Source, scope: Scope) -> BoundSource:
        nested = origin = None
        slot = -1
        if isinstance(source.origin, Subquery):
            nested = self.nested(source.origin.query, scope)
        elif self._names_container(source.origin, scope):
            slot, origin = self._container_source(source, scope)
        else:
            origin = ExpressionCompiler(self, scope).compile(source.origin)
        slot = self.new_slot() if slot < 0 else slot
        if source.name is not None and not scope.bind(source.name, slot):
            raise refused("SC2011", *source.span, name=source.name)
        return BoundSource(slot, origin, source.iterates, nested)

    def _names_container(self, origin: Expression, scope: Scope) -> bool:
        return self.container_slot is None and not scope.names_anything() and _root(origin) is not None

    def _container_source(self, source: Source, scope: Scope) -> tuple[int, Evaluator | None]:
        """The first name of the outermost FROM is the container, whatever it says."""
        self.container_slot = container = self.new_slot()
        if isinstance(source.origin, Name) and not source.iterates:
            return container, None
        inside = Scope()
        inside.bind(_root(source.origin) or "", container)
        return -1, ExpressionCompiler(self, inside).compile(source.origin)

    def nested(self, query: Query, scope: Scope) -> Program:
        """The program of a subquery, which sees the names around it."""
        return self._query(query, Scope(scope))

    def _projection(self, query: Query, sources: Sequence[BoundSource], expressions: ExpressionCompiler) -> Evaluator:
        select = query.select
        if select.kind == "*":
            slot = sources[-1].slot
            return lambda frame: frame[slot]
        if select.kind == "VALUE":
            return expressions.compile(select.items[0].expression)
        members = [
            (name, expressions.compile(item.expression))
            for name, item in zip(item_names(select.items), select.items, strict=True)
        ]
        return _object(members)


def item_names(items: tuple[Item, ...]) -> list[str]:
    """What each entry of a select list is called: its alias, the last step of its path, else $1, $2, …"""
    names, unnamed = [], 0
    for item in items:
        name = item.name
        if name is None:
            unnamed += 1
            name = f"${unnamed}"
        names.append(name)
    return names


def selected(select: Select) -> Expression:
    """What SELECT VALUE … or a select list gives, as one expression."""
    if select.kind == "VALUE":
        return select.items[0].expression
    names = item_names(select.items)
    return ObjectLiteral(tuple(zip(names, (item.expression for item in select.items), strict=True)))


def is_constant(expression: Expression) -> bool:
    """Whether an expression depends on no document, no clock and no chance."""
    for node in walk(expression):
        if isinstance(node, Name | Subquery | Placeholder):
            return False
        if isinstance(node, Call) and (node.udf or node.function in AGGREGATES):
            return False
        if isinstance(node, Call) and node.function in FUNCTIONS and not FUNCTIONS[node.function].constant:
            return False
    return True


def _root(node: Expression) -> str | None:
    while isinstance(node, Property | Index):
        node = node.base
    return node.name if isinstance(node, Name) else None


def _object(members: list[tuple[str, Evaluator]]) -> Evaluator:
    def build(frame: Frame) -> Value:
        made = {}
        for name, evaluate in members:
            value = evaluate(frame)
            if value is not UNDEFINED:
                made[name] = value
        return made

    return build


class ExpressionCompiler:
    """Compiles expressions in one scope. Without `aggregates` to collect into, aggregate calls are refused.

    `keys` are expressions whose values are in slots already: those of GROUP BY.
    """

    def __init__(
        self,
        compiler: Compiler,
        scope: Scope,
        aggregates: list[BoundAggregate] | None = None,
        keys: Mapping[Expression, int] = MappingProxyType({}),
    ) -> None:
        self._compiler = compiler
        self._scope = scope
        self._aggregates = aggregates
        self._keys = keys

    def compile(self, node: Expression) -> Evaluator:
        """The closure of an expression."""
        if self._keys and (slot := self._keys.get(node)) is not None:
            return lambda frame: frame[slot]
        method: Callable[[Expression], Evaluator] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def sort_key(self, key: SortKey) -> tuple[Evaluator, bool]:
        """(what to sort by, whether downwards) for one key; the best match of a vector comes first."""
        if not is_vector_call(key.expression) or key.direction:
            return self.compile(key.expression), key.descends
        measure = self.compile(key.expression)

        def worseness(frame: Frame) -> Value:
            value = measure(frame)
            if value is UNDEFINED:
                return math.inf
            return -value if runs_down(key, frame[0].vector_policy) else value

        return worseness, False

    def _vector(self, node: Call) -> Evaluator:
        """A vector call whose distance function and type of numbers may be the container's."""
        arguments = [self.compile(argument) for argument in node.arguments]
        given = arguments[3] if len(arguments) > 3 else None
        stored = embedding_path(node)

        def options(frame: Frame) -> Value:
            own = {} if given is None else given(frame)
            of_container = frame[0].vector_policy.get(stored or "", {})
            name = of_container.get("distanceFunction", DEFAULT_DISTANCE)
            kind = of_container.get("dataType", DEFAULT_TYPE)
            return {"distanceFunction": name, "dataType": kind, **own} if type(own) is dict else UNDEFINED

        brute_force = arguments[2] if len(arguments) > 2 else _never
        return call(FUNCTIONS[node.function], (arguments[0], arguments[1], brute_force, options))

    def _constant(self, node: Constant) -> Evaluator:
        value = node.value
        return lambda frame: value

    def _parameter(self, node: Parameter) -> Evaluator:
        name = node.name

        def look_up(frame: Frame) -> Value:
            parameters = frame[0].parameters
            if name not in parameters:
                raise QueryUnservable(f"The query uses parameter '{name}' and the request does not give its value.")
            return parameters[name]

        return look_up

    def _name(self, node: Name) -> Evaluator:
        slot = self._scope.find(node.name)
        if slot is None:
            raise refused("SC2001", *node.span, name=node.name)
        return lambda frame: frame[slot]

    def _property(self, node: Property) -> Evaluator:
        name, base = node.name, self.compile(node.base)

        def member(frame: Frame) -> Value:
            value = base(frame)
            return value.get(name, UNDEFINED) if type(value) is dict else UNDEFINED

        return member

    def _index(self, node: Index) -> Evaluator:
        base, index = self.compile(node.base), self.compile(node.index)
        return lambda frame: element(base(frame), index(frame))

    def _unary(self, node: Unary) -> Evaluator:
        apply, operand = operators.UNARY[node.operator], self.compile(node.operand)
        return lambda frame: apply(operand(frame))

    def _binary(self, node: Binary) -> Evaluator:
        apply = operators.BINARY[node.operator]
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda frame: apply(left(frame), right(frame))

    def _logical(self, node: Logical) -> Evaluator:
        operands = tuple(map(self.compile, node.operands))
        decisive = node.operator == "OR"

        def chain(frame: Frame) -> Value:
            outcome: Value = not decisive
            for operand in operands:
                value = operand(frame)
                if value is decisive:
                    return decisive
                if type(value) is not bool:
                    outcome = UNDEFINED
            return outcome

        return chain

    def _conditional(self, node: Conditional) -> Evaluator:
        condition, then, otherwise = map(self.compile, (node.condition, node.then, node.otherwise))
        return lambda frame: then(frame) if condition(frame) is True else otherwise(frame)

    def _in(self, node: In) -> Evaluator:
        needle, negated = self.compile(node.needle), node.negated
        if all(isinstance(item, Constant) for item in node.items):
            keys = {order_key(item.value) for item in node.items if isinstance(item, Constant)}
            keys.discard(order_key(UNDEFINED))

            def among(frame: Frame) -> Value:
                value = needle(frame)
                return UNDEFINED if value is UNDEFINED else (order_key(value) in keys) is not negated

            return among
        items = tuple(map(self.compile, node.items))

        def search(frame: Frame) -> Value:
            value = needle(frame)
            if value is UNDEFINED:
                return UNDEFINED
            found = any(equal(value, each) for item in items if (each := item(frame)) is not UNDEFINED)
            return found is not negated

        return search

    def _between(self, node: Between) -> Evaluator:
        operand, low, high = map(self.compile, (node.operand, node.low, node.high))

        def test(frame: Frame) -> Value:
            value = operand(frame)
            return operators.both(
                operators.greater_or_equal(value, low(frame)), operators.less_or_equal(value, high(frame))
            )

        return (lambda frame: operators.negation(test(frame))) if node.negated else test

    def _like(self, node: Like) -> Evaluator:
        operand, pattern = self.compile(node.operand), self.compile(node.pattern)
        escape, negated = node.escape, node.negated

        def test(frame: Frame) -> Value:
            text, wanted = operand(frame), pattern(frame)
            if type(text) is not str or type(wanted) is not str:
                return UNDEFINED
            return like(wanted, escape)(text) is not negated

        return test

    def _call(self, node: Call) -> Evaluator:
        arguments = node.arguments
        if node.udf:
            evaluators = tuple(map(self.compile, arguments))
            name = node.name
            return lambda frame: frame[0].user_function(name, [each(frame) for each in evaluators])
        if node.function in AGGREGATES:
            return self._aggregate(node)
        if node.function == "IIF":
            condition, then, otherwise = map(self.compile, arguments)
            return lambda frame: then(frame) if condition(frame) is True else otherwise(frame)
        if is_vector_call(node):
            return self._vector(node)
        return call(FUNCTIONS[node.function], tuple(map(self.compile, arguments)))

    def _aggregate(self, node: Call) -> Evaluator:
        if self._aggregates is None:
            raise refused("SC2104", *node.span, clause="WHERE or GROUP BY")
        plain = ExpressionCompiler(self._compiler, self._scope)
        slot = self._compiler.new_slot()
        self._aggregates.append(BoundAggregate(slot, AGGREGATES[node.function], plain.compile(node.arguments[0])))
        return lambda frame: frame[slot]

    def _arrayliteral(self, node: ArrayLiteral) -> Evaluator:
        items = tuple(map(self.compile, node.items))
        return lambda frame: [value for item in items if (value := item(frame)) is not UNDEFINED]

    def _objectliteral(self, node: ObjectLiteral) -> Evaluator:
        return _object([(name, self.compile(value)) for name, value in node.members])

    def _subquery(self, node: Subquery) -> Evaluator:
        program = self._compiler.nested(node.query, self._scope)
        return partial(_SUBQUERIES[node.kind], program)

    def _placeholder(self, node: Expression) -> Evaluator:
        raise QueryUnservable("The query text still holds a placeholder that the client fills in.")


def _never(frame: Frame) -> Value:
    return False


def element(base: Value, index: Value) -> Value:
    """base[index]: a number on an array, a string on an object, else undefined."""
    if type(base) is list and (type(index) is int or (type(index) is float and index.is_integer())):
        return base[int(index)] if 0 <= index < len(base) else UNDEFINED
    if type(base) is dict and type(index) is str:
        return base.get(index, UNDEFINED)
    return UNDEFINED


def call(function: Function, arguments: tuple[Evaluator, ...]) -> Evaluator:
    """The closure of a call: undefined as soon as an argument is not of the declared type."""
    apply = function.implementation
    checks = function.checks(len(arguments))
    if len(arguments) == 1 and not function.needs_context:
        only, check = arguments[0], checks[0]

        def call_with_one(frame: Frame) -> Value:
            value = only(frame)
            return apply(value) if check(value) else UNDEFINED

        return call_with_one
    needs_context = function.needs_context

    def call_with_many(frame: Frame) -> Value:
        values: list[Value] = [frame[0]] if needs_context else []
        for argument, check in zip(arguments, checks, strict=True):
            value = argument(frame)
            if not check(value):
                return UNDEFINED
            values.append(value)
        return apply(*values)

    return call_with_many


def _scalar(program: Program, frame: Frame) -> Value:
    found: Value = UNDEFINED
    for position, value in enumerate(program.values(frame)):
        if position:
            raise QueryUnservable("The cardinality of a scalar subquery result set cannot be greater than one.")
        found = value
    return found


def _exists(program: Program, frame: Frame) -> Value:
    return any(True for _ in program.values(frame))


def _array(program: Program, frame: Frame) -> Value:
    return list(program.values(frame))


def _all(program: Program, frame: Frame) -> Value:
    return all(value is True for value in program.values(frame))


def _first(program: Program, frame: Frame) -> Value:
    return next(iter(program.values(frame)), UNDEFINED)


def _last(program: Program, frame: Frame) -> Value:
    found: Value = UNDEFINED
    for value in program.values(frame):
        found = value
    return found


_SUBQUERIES: dict[str, Callable[[Program, Frame], Value]] = {
    "": _scalar,
    "EXISTS": _exists,
    "ARRAY": _array,
    "ALL": _all,
    "FIRST": _first,
    "LAST": _last,
}
