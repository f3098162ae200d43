"""Binding expressions, as a table and for any text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from azure.functions.meta import Datum
from hypothesis import given
from hypothesis import strategies as st

from emulators.base.clock import stopped_clock
from emulators.base.ids import Ids
from emulators.functions_host.bindings.expressions import BindingData, ExpressionError, binding_data
from emulators.functions_host.invocation import Call

PATTERNS = "learn.microsoft.com azure-functions functions-bindings-expressions-patterns"
BODY = {"orderId": "7", "nested": {"deep": [1, 2]}, "n": 1.5, "flag": True}


def request_datum() -> Datum:
    """A request as triggers hand it over."""
    value = {
        "body": Datum(json.dumps(BODY).encode(), "bytes"),
        "query": {"colour": Datum("red", "string")},
        "headers": {"x-user": Datum("ada", "string")},
    }
    return Datum(value, "http")


@pytest.fixture
def data() -> BindingData:
    """A request's binding data on 14 November 2023, 22:13:20 UTC."""
    call = Call(request_datum(), data={"id": "route", "orderId": "of the route"})
    return binding_data("Run", call, stopped_clock(), Ids(1))


@pytest.mark.documented(PATTERNS)
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("{id}", "route"),
        ("{ORDERID}", "of the route"),
        ("a/{id}-{Query.colour}.txt", "a/route-red.txt"),
        ("{headers.X-User}", "ada"),
        ("{nested.deep}", "[1,2]"),
        ("{n} {flag}", "1.5 True"),
        ("{sys.MethodName}", "Run"),
        ("{DateTime}", "2023-11-14T22-13-20Z"),
        ("{datetime:yyyy/MM/dd HH.mm.ss}", "2023/11/14 22.13.20"),
        ("{DateTime:yy-M-d}", "23-11-14"),
        ("{DateTime:MMM ddd 'at' hh tt}", "Nov Tue at 10 PM"),
        ("{sys.UtcNow}", "2023-11-14T22:13:20.0000000+00:00"),
        ("{{id}}", "{id}"),
    ],
)
def test_expressions(data: BindingData, template: str, expected: str) -> None:
    """Names of the trigger, the query, headers, JSON members, system values; case does not matter; doubled braces."""
    assert data.resolve(template) == expected


@pytest.mark.documented(f"{PATTERNS}: dot notation")
def test_members_of_an_event_and_of_a_message() -> None:
    """The whole event's names, its data by a dot; the trigger's own names go before a message's members."""
    event = {"subject": "s", "data": {"orderId": 7}}
    call = Call(Datum(json.dumps(event), "json"), data=event)
    assert binding_data("F", call, stopped_clock(), Ids(1)).resolve("{subject}/{data.orderId}") == "s/7"
    message = Call(Datum('{"Id": "theirs", "to": "x"}', "string"), data={"queueTrigger": "text", "Id": "ours"})
    assert binding_data("F", message, stopped_clock(), Ids(1)).resolve("{id} {to} {queuetrigger}") == "ours x text"


@pytest.mark.documented(PATTERNS)
@pytest.mark.parametrize(
    ("form", "pattern"),
    [("", "[0-9a-f-]{36}"), (":N", "[0-9a-f]{32}"), (":B", r"\{[0-9a-f-]{36}\}"), (":P", r"\([0-9a-f-]{36}\)")],
)
def test_a_guid_is_fresh_each_time(data: BindingData, form: str, pattern: str) -> None:
    """In .NET's formats; two in one text differ."""
    one, two = data.resolve(f"{{rand-guid{form}}} {{sys.randguid{form}}}").split(" ")
    assert re.fullmatch(pattern, one)
    assert one != two


@pytest.mark.read_in_sdk("webjobs-sdk BindingTemplate.cs: No value for named parameter")
@pytest.mark.parametrize("template", ["{nobody}", "{id.deeper}", "{rand-guid:X}", "{}"])
def test_what_an_invocation_does_not_have_is_named(data: BindingData, template: str) -> None:
    """The error names the expression."""
    with pytest.raises(ExpressionError):
        data.resolve(template)


@pytest.mark.read_in_sdk("azure-webjobs-sdk-extensions CosmosDBSqlResolutionPolicy.cs")
def test_a_query_takes_values_as_parameters(data: BindingData) -> None:
    """Dots and dashes of names become underscores; the same name is one parameter."""
    text, parameters = data.query("SELECT * FROM c WHERE c.a = {id} OR c.b = {id} OR c.c = {headers.x-user}")
    assert text == "SELECT * FROM c WHERE c.a = @id OR c.b = @id OR c.c = @headers_x_user"
    assert parameters == [{"name": "@id", "value": "route"}, {"name": "@headers_x_user", "value": "ada"}]


@pytest.mark.our_choice("values come from callers: none may be read as a template again")
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(), min_size=1), st.text())
def test_any_value_comes_out_as_it_went_in(values: dict[str, Any], between: str) -> None:
    """Whatever a message holds, and whatever stands beside the expressions."""
    values.pop("datetime", None)
    literal = between.replace("{", "{{").replace("}", "}}")
    data = BindingData(values, stopped_clock(), Ids(1))
    template = literal.join(f"{{{name}}}" for name in values)
    assert data.resolve(template) == between.join(values.values())
    text, parameters = data.query(template)
    assert {each["value"] for each in parameters} == set(values.values())
    assert text == between.join(f"@{name}" for name in values)
