"""The words in which `operations` states the contract: operations, parameters, headers, answers. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from update_order_status.errors import Problem as CommandProblem
from update_order_status_read_model.errors import Problem as QueryProblem

Problem = CommandProblem | QueryProblem
Place = Literal["path", "query", "header"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request may bring besides its body. `type` is what Pydantic understands."""

    name: str
    place: Place
    type: Any
    description: str
    example: object = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """A header of answers. `always`: on every answer that lists it."""

    name: str
    type: Any
    description: str
    always: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """What to ask next: the function, and its parameters as runtime expressions of OpenAPI."""

    name: str
    function: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation that is not a problem."""

    status: int
    description: str
    body: type[BaseModel] | None = None
    headers: tuple[Header, ...] = ()
    example: object = None
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One HTTP function: what it takes, what it answers, which problems it has."""

    function: str
    method: str
    path: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    problems: tuple[Problem, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_example: object = None
    problem_headers: tuple[Header, ...] = ()
    anonymous: bool = False
