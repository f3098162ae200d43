"""The OpenAPI document, made from `operations`. Pure: the same operations give the same text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from order_contract.operations import OPERATIONS, RETRY_AFTER
from order_contract.vocabulary import Answer, Header, Operation, Parameter, Problem

OPENAPI = "3.1.0"
CONTRACT_VERSION = "1.0.0"
"""Raised with the contract: the minor one when something is added, the major one when something breaks."""
REF = "#/components/schemas/{model}"
RETRIED = frozenset({429, 503})
"""Statuses that come with Retry-After."""

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]


class Components:
    """The named schemas that the document refers to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def model(self, model: type[BaseModel], mode: Mode) -> Schema:
        """A reference to a model as it is taken ("validation") or given ("serialization")."""
        return self._name(model.__name__, self.define(model, mode))

    def problem(self, problem: Problem) -> Schema:
        """A reference to one kind of problem: its model, with what is the same in each of them."""
        schema = self.define(problem.body, "serialization")
        fixed = {"type": problem.urn, "title": problem.title, "status": problem.status}
        schema["properties"] |= {name: {"const": value} for name, value in fixed.items()}
        name = "".join(word.capitalize() for word in problem.name.split("-")) + "Problem"
        return self._name(name, schema)

    def define(self, model: type[BaseModel], mode: Mode) -> Schema:
        """The schema of a model; what it refers to gets names."""
        schema: Schema = _without_titles(model.model_json_schema(mode=mode, ref_template=REF))
        for name, definition in schema.pop("$defs", {}).items():
            self._name(name, definition)
        return schema

    def _name(self, name: str, schema: Schema) -> Schema:
        known = self.schemas.setdefault(name, schema)
        # Each side has its own models; where they say the same word, they must mean the same.
        assert known == schema, f"two different schemas are called {name}"
        return {"$ref": REF.format(model=name)}


def build() -> Schema:
    """The document."""
    components = Components()
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, components)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Orders",
            "version": CONTRACT_VERSION,
            "description": "Commands change an order's status; queries read it. The read side follows within moments.",
        },
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"functionKeyInAddress": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyInAddress": {"type": "apiKey", "in": "query", "name": "code"},
            },
        },
    }


def _operation(operation: Operation, components: Components) -> Schema:
    responses = {str(each.status): _answer(each, components) for each in operation.answers}
    by_status = sorted(operation.problems, key=lambda problem: problem.status)
    for status, problems in groupby(by_status, key=lambda problem: problem.status):
        responses[str(status)] = _problems(list(problems), operation, components)
    document: Schema = {
        "operationId": operation.function,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": responses,
    }
    if operation.query is not None:
        document["parameters"] += _query(operation.query, components)
    if operation.body is not None:
        media = {"schema": components.model(operation.body, "validation"), "example": operation.body_example}
        document["requestBody"] = {"required": True, "content": {"application/json": media}}
    if operation.anonymous:
        document["security"] = []
    else:
        responses["401"] = {"description": "No function key, or a wrong one. From the host, without a body."}
    return document


def _answer(answer: Answer, components: Components) -> Schema:
    document: Schema = {"description": answer.description, "headers": _headers(answer.headers)}
    if answer.body is not None:
        schema = components.model(answer.body, "serialization")
        document["content"] = {"application/json": {"schema": schema, "example": answer.example}}
    elif answer.status == 200:
        document["content"] = {"application/json": {"schema": {"type": "object", "required": ["openapi", "paths"]}}}
    if answer.links:
        document["links"] = {
            link.name: {"operationId": link.function, "parameters": dict(link.parameters)} for link in answer.links
        }
    return document


def _problems(problems: list[Problem], operation: Operation, components: Components) -> Schema:
    schemas = [components.problem(each) for each in problems]
    retry = (RETRY_AFTER,) if problems[0].status in RETRIED else ()
    return {
        "description": "; ".join(each.title for each in problems),
        "headers": _headers((*operation.problem_headers, *retry)),
        "content": {"application/problem+json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}},
    }


def _headers(headers: Iterable[Header]) -> Schema:
    return {
        each.name: {"description": each.description, "required": each.always, "schema": _schema(each.type)}
        for each in headers
    }


def _parameter(parameter: Parameter) -> Schema:
    document: Schema = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": _schema(parameter.type),
    }
    return document if parameter.example is None else {**document, "example": parameter.example}


def _query(model: type[BaseModel], components: Components) -> list[Schema]:
    """The parameters of a query string. None of them may be null: what is absent is not sent."""
    schema = components.define(model, "validation")
    return [
        {"name": name, "in": "query", "required": False, "schema": _never_null(each)}
        for name, each in schema["properties"].items()
    ]


def _never_null(schema: Mapping[str, Any]) -> Schema:
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if rest.get("default", 0) is None:
        del rest["default"]
    return {**rest, **choices[0]} if choices else rest


def _schema(of: Any) -> Schema:
    schema: Schema = _without_titles(TypeAdapter(of).json_schema(ref_template=REF))
    return schema


def _without_titles(schema: Any) -> Any:
    """Pydantic's titles only repeat the names. A member that is called "title" is not a title."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_titles(each) for name, each in schema.items() if not (name == "title" and isinstance(each, str))
    }
