"""User-defined functions: JavaScript that queries call on values of items."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.cosmos import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from emulators.cosmos.application import create
from emulators.cosmos.limits import SCRIPT_WORKERS_MAX
from tests.emulators.cosmos.http import Door
from tests.serving import served

DOCS = "learn.microsoft.com/azure/cosmos-db/nosql/query/udfs"
KEY = "p"
TAX = """function tax(income) {
    if (income === undefined) throw new Error('no input');
    return income < 1000 ? income * 0.1 : income * 0.2;
}"""


@pytest.fixture
def incomes(container: ContainerProxy) -> ContainerProxy:
    """Items with the incomes 500, 1000 and 2000, a function `tax` and one that gives back its argument."""
    for income in (500, 1000, 2000):
        container.create_item({"id": str(income), "pk": KEY, "income": income})
    for name, text in (("tax", TAX), ("same", "function (value) { return value; }")):
        container.scripts.create_user_defined_function({"id": name, "body": text})
    return container


def ask(container: ContainerProxy, query: str) -> list[object]:
    """The results of a query over one partition."""
    return list(container.query_items(query, partition_key=KEY))


@pytest.mark.documented(DOCS)
def test_a_function_is_called_anywhere_in_a_query(incomes: ContainerProxy) -> None:
    """In SELECT, WHERE, aggregates and GROUP BY, on other calls' results, and without any item."""
    assert ask(incomes, "SELECT VALUE udf.tax(c.income) FROM c") == [50, 200, 400]
    assert ask(incomes, "SELECT VALUE c.id FROM c WHERE udf.tax(c.income) > 100 ORDER BY c.id DESC") == ["2000", "1000"]
    assert ask(incomes, "SELECT VALUE SUM(udf.tax(c.income)) FROM c") == [650]
    grouped = ask(
        incomes, "SELECT udf.tax(c.income) > 100 AS high, COUNT(1) AS n FROM c GROUP BY udf.tax(c.income) > 100"
    )
    assert sorted(map(str, grouped)) == ["{'high': False, 'n': 1}", "{'high': True, 'n': 2}"]
    assert ask(incomes, "SELECT VALUE udf.same(udf.tax(1000))") == [200]


@pytest.mark.documented(DOCS)
def test_values_keep_their_types(incomes: ContainerProxy) -> None:
    """Objects, arrays, null and undefined go in and come out as they are."""
    query = 'SELECT VALUE [udf.same({"a": [1, null]}), udf.same(null), udf.same(true), IS_DEFINED(udf.same(c.none))]'
    assert ask(incomes, query + " FROM c WHERE c.id = '500'") == [[{"a": [1, None]}, None, True, False]]


@pytest.mark.our_choice("a function's failure is told as a procedure's is")
def test_a_function_that_fails_fails_the_query(incomes: ContainerProxy) -> None:
    """An exception, a text that is no JavaScript, or an unknown name: 400 that says so."""
    incomes.scripts.create_user_defined_function({"id": "broken", "body": "function ( {"})
    for call, told in (("tax(c.none)", "no input"), ("broken(1)", "while compiling"), ("other(1)", "'other'")):
        with pytest.raises(CosmosHttpResponseError, match=told) as refused:
            ask(incomes, f"SELECT VALUE udf.{call} FROM c")
        assert refused.value.status_code == 400


@pytest.mark.documented("azure.github.io/azure-cosmosdb-js-server: the context is not there in functions")
def test_a_function_has_no_context(incomes: ContainerProxy) -> None:
    """It computes; it cannot reach items."""
    text = "function () { return [typeof getContext, typeof __]; }"
    incomes.scripts.create_user_defined_function({"id": "looks", "body": text})
    assert ask(incomes, "SELECT VALUE udf.looks()") == [["undefined", "undefined"]]


@pytest.mark.documented(
    "learn.microsoft.com/azure/cosmos-db/nosql/query/udfs: they may be called from procedures' queries"
)
def test_a_script_s_query_calls_functions(incomes: ContainerProxy) -> None:
    """Also sorted and counted, page by page."""
    text = """function (query) {
        __.queryDocuments(__.getSelfLink(), query, function (error, found) {
            if (error) throw error;
            __.response.setBody(found);
        });
    }"""
    incomes.scripts.create_stored_procedure({"id": "ask", "body": text})
    for query, expected in (
        ("SELECT VALUE udf.tax(c.income) FROM c ORDER BY c.income DESC", [400, 200, 50]),
        ("SELECT VALUE COUNT(1) FROM c WHERE udf.tax(c.income) > 100", [2]),
        ("SELECT TOP 1 VALUE udf.tax(c.income) FROM c", [50]),
    ):
        assert incomes.scripts.execute_stored_procedure("ask", partition_key=KEY, params=[query]) == expected  # type: ignore[list-item]


@pytest.mark.our_choice("scripts share a few processes, and one that calls functions needs two")
def test_many_scripts_that_call_functions_do_not_wait_for_each_other(incomes: ContainerProxy) -> None:
    """More of them at once than there are processes all end."""
    text = """function () {
        __.queryDocuments(__.getSelfLink(), "SELECT VALUE udf.tax(c.income) FROM c", function (error, found) {
            if (error) throw error;
            __.response.setBody(found.length);
        });
    }"""
    incomes.scripts.create_stored_procedure({"id": "ask", "body": text})
    with ThreadPoolExecutor(2 * SCRIPT_WORKERS_MAX) as pool:
        calls = [
            pool.submit(incomes.scripts.execute_stored_procedure, "ask", partition_key=KEY, params=[])
            for _ in range(2 * SCRIPT_WORKERS_MAX)
        ]
        assert [call.result(timeout=60) for call in calls] == [3] * len(calls)


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/concepts-limits: 5 seconds for a function")
def test_an_endless_function_is_ended_while_others_are_served() -> None:
    """The query answers 408; the server answers others meanwhile."""
    with served(lambda: create(script_seconds=0.5)) as url:
        door = Door(url)
        door.call("POST", "dbs", {"id": "d"})
        door.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}})
        door.call("POST", "dbs/d/colls/c/udfs", {"id": "loop", "body": "function () { while (true); }"})
        headers = {"content-type": "application/query+json", "x-ms-documentdb-partitionkey": '["p"]'}
        answers: list[int] = []

        def query() -> None:
            told = door.call("POST", "dbs/d/colls/c/docs", {"query": "SELECT VALUE udf.loop()"}, headers)
            answers.append(told.status_code)

        caller = threading.Thread(target=query)
        caller.start()
        served_meanwhile = 0
        while caller.is_alive():
            assert door.call("GET", "dbs/d").status_code == 200
            served_meanwhile += caller.is_alive()
        assert answers == [408]
        assert served_meanwhile > 3
