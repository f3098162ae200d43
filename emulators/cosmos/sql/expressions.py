"""Tokens to syntax tree: expressions, by precedence climbing, and the token cursor that the clauses share.

Loosest first: ??, ? :, OR, AND, NOT, BETWEEN IN LIKE, = != <>, < > <= >=, |, ^, &, << >> >>>, ||, + -, * / %, + - ~,
then paths and calls, as in the port of the service's engine that azure-sdk-for-rust carries, and as the operators'
reference had it (`c.grade ^ 4 = 1`). The .NET SDK's grammar for its offline tests has another order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from emulators.cosmos.sql.errors import QueryUnservable, refused
from emulators.cosmos.sql.lexer import FUNCTION_KEYWORDS, USABLE_AS_NAMES, Token, tokens
from emulators.cosmos.sql.limits import (
    EXPRESSION_DEPTH_MAX,
    EXPRESSIONS_MAX,
    IN_ITEMS_MAX,
    LOGICAL_OPERATORS_MAX,
    TREE_DEPTH_MAX,
)
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
    Like,
    Logical,
    Name,
    Node,
    ObjectLiteral,
    Parameter,
    Property,
    Subquery,
    Unary,
)
from emulators.cosmos.sql.values import UNDEFINED, type_name

_BINDING = {
    "=": 1, "!=": 1, "<>": 1, "<": 2, ">": 2, "<=": 2, ">=": 2, "|": 3, "^": 4, "&": 5,
    "<<": 6, ">>": 6, ">>>": 6, "||": 7, "+": 8, "-": 8, "*": 9, "/": 9, "%": 9,
}  # fmt: skip
"""How tightly each binary operator holds its operands."""
_KEYWORD_VALUES = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}
_NUMBER_NAMES = {"NaN": float("nan"), "Infinity": float("inf")}
_SUBQUERY_KINDS = ("EXISTS", "ARRAY", "ALL", "FIRST", "LAST")


class ExpressionParser:
    """Reads expressions; `Parser` adds the clauses."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._nodes = 0
        self._logical = {"AND": 0, "OR": 0}

    # --- the cursor ---

    @property
    def current(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._at]

    @property
    def previous_end(self) -> int:
        """Where the last token read ended."""
        return self._tokens[self._at - 1].end

    def advance(self) -> Token:
        """Read one token."""
        token = self._tokens[self._at]
        self._at += 1
        return token

    def at_symbol(self, symbol: str) -> bool:
        """Whether the next token is that symbol."""
        return self.current.kind == "symbol" and self.current.value == symbol

    def at_keyword(self, keyword: str) -> bool:
        """Whether the next token is that keyword."""
        return self.current.kind == "keyword" and self.current.value == keyword

    def at_name(self) -> bool:
        """Whether the next token can be an identifier here."""
        return _names(self.current) and self.current.value not in ("OFFSET", "LIMIT")

    def next_is_keyword(self, keyword: str) -> bool:
        """Whether the token after the next is that keyword."""
        token = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        return token.kind == "keyword" and token.value == keyword

    def next_is_name(self) -> bool:
        """Whether the token after the next is an identifier."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)].kind == "name"

    def take_symbol(self, symbol: str) -> bool:
        """Read the next token if it is that symbol."""
        found = self.at_symbol(symbol)
        self._at += found
        return found

    def take_keyword(self, keyword: str) -> bool:
        """Read the next token if it is that keyword."""
        found = self.at_keyword(keyword)
        self._at += found
        return found

    def expect_symbol(self, symbol: str) -> None:
        """Read that symbol or refuse."""
        if not self.take_symbol(symbol):
            raise self.syntax_error()

    def expect_keyword(self, keyword: str) -> None:
        """Read that keyword or refuse."""
        if not self.take_keyword(keyword):
            raise self.syntax_error()

    def expect_name(self) -> str:
        """Read an identifier or refuse."""
        if not _names(self.current):
            raise self.syntax_error()
        return self.advance().text

    def expect_end(self) -> None:
        """Refuse anything that is left."""
        if self.current.kind != "end":
            raise self.syntax_error()

    def syntax_error(self) -> Exception:
        """The refusal of the next token."""
        token = self.current
        if token.kind == "end":
            return refused("SC1010", token.start, token.end)
        return refused("SC1001", token.start, token.end, near=token.text)

    def refusal(self, code: str, start: int, end: int, **words: object) -> Exception:
        """The refusal of that code at that place."""
        return refused(code, start, end, **words)

    def unservable(self, text: str) -> Exception:
        """A refusal that has no position."""
        return QueryUnservable(text)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of nesting, bounded so that no text exhausts the stack."""
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            self._too_deep(EXPRESSION_DEPTH_MAX)
        yield
        self._depth -= 1

    def _too_deep(self, limit: int) -> NoReturn:
        token = self.current
        raise refused("SC1002", token.start, token.end, near=token.text, limit=limit)

    def _count_node(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > EXPRESSIONS_MAX:
            raise refused("SC3007", *node.span, limit=EXPRESSIONS_MAX)

    # --- expressions ---

    @abstractmethod
    def subquery(self, kind: str) -> Subquery:
        """(SELECT …): the clauses' business."""

    def expression(self) -> Expression:
        """Any expression."""
        with self.deeper():
            left = self._conditional()
            while self.take_symbol("??"):
                right = self._conditional()
                left = Binary("??", left, right, span=(left.span[0], right.span[1]))
            return left

    def expressions(self) -> tuple[Expression, ...]:
        """One or more expressions between commas."""
        found = [self.expression()]
        while self.take_symbol(","):
            found.append(self.expression())
        return tuple(found)

    def _conditional(self) -> Expression:
        condition = self._logical_chain("OR")
        if not self.take_symbol("?"):
            return condition
        then = self.expression()
        self.expect_symbol(":")
        with self.deeper():
            otherwise = self._conditional()
        return Conditional(condition, then, otherwise, span=(condition.span[0], otherwise.span[1]))

    def _logical_chain(self, operator: str) -> Expression:
        operands = [self._logical_chain("AND") if operator == "OR" else self._negation()]
        while self.at_keyword(operator):
            token = self.advance()
            self._logical[operator] += 1
            if self._logical[operator] > LOGICAL_OPERATORS_MAX:
                raise refused("SC3003", token.start, token.end, operator=operator, limit=LOGICAL_OPERATORS_MAX)
            operands.append(self._logical_chain("AND") if operator == "OR" else self._negation())
        if len(operands) == 1:
            return operands[0]
        return Logical(operator, tuple(operands), span=(operands[0].span[0], operands[-1].span[1]))  # type: ignore[arg-type]

    def _negation(self) -> Expression:
        token = self.current
        if not self.take_keyword("NOT"):
            return self._predicate()
        with self.deeper():
            operand = self._negation()
        return Unary("NOT", operand, span=(token.start, operand.span[1]))

    def _predicate(self) -> Expression:
        operand = self._binary(0)
        negated = self.at_keyword("NOT") and any(map(self.next_is_keyword, ("IN", "BETWEEN", "LIKE")))
        self._at += negated
        start = operand.span[0]
        if self.take_keyword("IN"):
            items = self._in_items()
            return In(operand, items, negated, span=(start, self.previous_end))
        if self.take_keyword("BETWEEN"):
            low = self._binary(0)
            self.expect_keyword("AND")
            high = self._binary(0)
            return Between(operand, low, high, negated, span=(start, self.previous_end))
        if self.take_keyword("LIKE"):
            pattern = self._binary(0)
            escape = self._escape() if self.take_keyword("ESCAPE") else None
            return Like(operand, pattern, escape, negated, span=(start, self.previous_end))
        return operand

    def _in_items(self) -> tuple[Expression, ...]:
        self.expect_symbol("(")
        items = self.expressions()
        self.expect_symbol(")")
        if len(items) > IN_ITEMS_MAX:
            raise refused("SC3004", items[0].span[0], items[-1].span[1], limit=IN_ITEMS_MAX)
        return items

    def _escape(self) -> str:
        token = self.current
        if token.kind != "string" or len(token.value) != 1:
            raise self.syntax_error()
        return str(self.advance().value)

    def _binary(self, looser_than: int) -> Expression:
        left = self._unary()
        chain = 0
        while self.current.kind == "symbol" and (binding := _BINDING.get(self.current.value, 0)) > looser_than:
            operator = self.advance().value
            right = self._binary(binding)
            left = Binary(operator, left, right, span=(left.span[0], right.span[1]))
            self._count_node(left)
            chain += 1
            if chain > TREE_DEPTH_MAX:
                self._too_deep(TREE_DEPTH_MAX)
        return left

    def _unary(self) -> Expression:
        token = self.current
        if (token.kind == "symbol" and token.value in "+-~") or self.at_keyword("NOT"):
            self.advance()
            with self.deeper():
                operand = self._unary()
            return Unary(token.value, operand, span=(token.start, operand.span[1]))
        return self._path()

    def _path(self) -> Expression:
        node = self._primary()
        self._count_node(node)
        steps = 0
        while (step := self.path_step(node)) is not None:
            node = step
            steps += 1
            if steps > TREE_DEPTH_MAX:
                self._too_deep(TREE_DEPTH_MAX)
        return node

    def path_step(self, base: Expression) -> Property | Index | None:
        """The next `.name` or `[…]` applied to `base`, or None."""
        if self.take_symbol("."):
            name = self.expect_name()
            return Property(base, name, span=(base.span[0], self.previous_end))
        if not self.take_symbol("["):
            return None
        index = self.expression()
        self.expect_symbol("]")
        span = (base.span[0], self.previous_end)
        if isinstance(index, Constant) and isinstance(index.value, str):
            return Property(base, index.value, quoted=True, span=span)
        return Index(base, index, span=span)

    def _primary(self) -> Expression:
        token = self.current
        span = (token.start, token.end)
        if token.kind in ("number", "string"):
            self.advance()
            return Constant(token.value, type_name(token.value), span=span)
        if token.kind == "parameter":
            self.advance()
            return Parameter(token.value, span=span)
        if token.kind == "symbol":
            return self._bracketed(token)
        if token.kind == "keyword" and token.value in _KEYWORD_VALUES:
            self.advance()
            value = _KEYWORD_VALUES[token.value]
            return Constant(value, type_name(value), span=span)
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if token.kind == "keyword" and token.value in _SUBQUERY_KINDS and following.text == "(":
            self.advance()
            nested = self.subquery(token.value)
            return Subquery(nested.kind, nested.query, span=(token.start, nested.span[1]))
        if token.kind == "keyword" and token.value == "UDF" and following.text == ".":
            return self._udf_call()
        return self._name_or_call()

    def _name_or_call(self) -> Expression:
        start = self.current.start
        is_function = self.current.kind == "keyword" and self.current.value in FUNCTION_KEYWORDS
        name = self.advance().text if is_function else self.expect_name()
        if is_function or self.at_symbol("("):
            return Call(name, self._arguments(), span=(start, self.previous_end))
        if name in _NUMBER_NAMES:
            return Constant(_NUMBER_NAMES[name], "number", span=(start, self.previous_end))
        return Name(name, span=(start, self.previous_end))

    def _udf_call(self) -> Call:
        start = self.advance().start
        self.expect_symbol(".")
        name = self.expect_name()
        arguments = self._arguments()
        return Call(name, arguments, udf=True, span=(start, self.previous_end))

    def _arguments(self) -> tuple[Expression, ...]:
        self.expect_symbol("(")
        if self.take_symbol(")"):
            return ()
        arguments = self.expressions()
        self.expect_symbol(")")
        return arguments

    def _bracketed(self, token: Token) -> Expression:
        if token.value == "(":
            following = self._tokens[self._at + 1]
            if following.kind == "keyword" and following.value == "SELECT":
                return self.subquery("")
            self.advance()
            inner = self.expression()
            self.expect_symbol(")")
            return inner
        if token.value == "[":
            self.advance()
            items = () if self.at_symbol("]") else self.expressions()
            self.expect_symbol("]")
            return ArrayLiteral(items, span=(token.start, self.previous_end))
        if token.value == "{":
            return self._object()
        raise self.syntax_error()

    def _object(self) -> ObjectLiteral:
        start = self.advance().start
        members: list[tuple[str, Expression]] = []
        while not self.at_symbol("}"):
            if members:
                self.expect_symbol(",")
            members.append(self._member())
        self.advance()
        return ObjectLiteral(tuple(members), span=(start, self.previous_end))

    def _member(self) -> tuple[str, Expression]:
        token = self.current
        if token.kind not in ("string", "name", "keyword"):
            raise self.syntax_error()
        self.advance()
        self.expect_symbol(":")
        return (token.value if token.kind == "string" else token.text), self.expression()


def _names(token: Token) -> bool:
    return token.kind == "name" or (token.kind == "keyword" and token.value in USABLE_AS_NAMES)
