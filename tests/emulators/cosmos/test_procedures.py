"""Stored procedures: what a script sees and does, in one transaction, under limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.cosmos.application import create
from tests.emulators.cosmos.http import Door
from tests.serving import served

REFERENCE = "azure.github.io/azure-cosmosdb-js-server"
SPROC_DOCS = "learn.microsoft.com/azure/cosmos-db/nosql/stored-procedures-triggers-udfs"
KEY = "p"


@pytest.fixture
def hasty() -> Iterator[Door]:
    """An emulator whose scripts may run for half a second."""
    with served(lambda: create(script_seconds=0.5)) as url:
        door = Door(url)
        door.call("POST", "dbs", {"id": "d"})
        key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        door.call("POST", "dbs/d/colls", {"id": "c", "partitionKey": key})
        yield door


def run(container: ContainerProxy, text: str, *arguments: Any, name: str = "p") -> object:
    """Store a procedure and execute it."""
    container.scripts.create_stored_procedure({"id": name, "body": text})
    return execute(container, *arguments, name=name)


def execute(container: ContainerProxy, *arguments: Any, name: str = "p") -> object:
    """Execute a procedure on the partition that all tests use."""
    return container.scripts.execute_stored_procedure(name, partition_key=KEY, params=list(arguments))


def over_http(door: Door, text: str, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
    """(status, text, headers) of a procedure's execution on an emulator with database d and container c."""
    assert door.call("POST", "dbs/d/colls/c/sprocs", {"id": "p", "body": text}).status_code in (201, 409)
    told = door.call("POST", "dbs/d/colls/c/sprocs/p", [], {"x-ms-documentdb-partitionkey": '["p"]', **(headers or {})})
    return told.status_code, told.text, dict(told.headers)


def ids_of(container: ContainerProxy) -> list[str]:
    """The ids of all items."""
    return sorted(item["id"] for item in container.read_all_items())


@pytest.mark.documented(SPROC_DOCS)
def test_arguments_go_in_and_the_response_body_comes_out(container: ContainerProxy) -> None:
    """Each element of the array is an argument; any JSON value may be the body."""
    text = "function (a, b) { getContext().getResponse().setBody({ sum: a + b, list: [a, null, true] }); }"
    assert run(container, text, 1, 2.5) == {"sum": 3.5, "list": [1, None, True]}


@pytest.mark.read_in_sdk("azure-cosmos tests/test_crud.py: test_stored_procedure_functionality")
def test_a_body_is_appended_to(container: ContainerProxy) -> None:
    """The body begins as the empty string, so that what is appended is joined as text."""
    text = "function () { for (var i = 0; i < 4; i++) getContext().getResponse().appendValue('Body', i); }"
    assert run(container, text) == "0123"


@pytest.mark.documented(REFERENCE)
def test_a_script_creates_reads_replaces_upserts_and_deletes(container: ContainerProxy) -> None:
    """Every operation calls back with what it made; links are by rid (`_self`) or by name."""
    text = """function () {
        var c = getContext().getCollection(), seen = [];
        c.createDocument(c.getSelfLink(), { id: "a", pk: "p", n: 1 }, function (error, made) {
            seen.push(made.n, typeof made._etag);
            made.n = 2;
            c.replaceDocument(made._self, made, function (error, replaced) {
                seen.push(replaced.n);
                c.upsertDocument(c.getAltLink(), { id: "b", pk: "p" }, function (error, upserted) {
                    c.readDocument(c.getAltLink() + "/docs/a", function (error, read) {
                        seen.push(read.n);
                        c.deleteDocument(upserted._self, {}, function (error) {
                            c.readDocument(upserted._self, function (error) {
                                seen.push(error.number);
                                getContext().getResponse().setBody(seen);
                            });
                        });
                    });
                });
            });
        });
    }"""
    assert run(container, text) == [1, "string", 2, 2, 404]
    assert ids_of(container) == ["a"]
    assert container.read_item("a", KEY)["n"] == 2


@pytest.mark.documented(REFERENCE)
def test_an_item_without_an_id_is_given_one(container: ContainerProxy) -> None:
    """createDocument makes an id, unless disableAutomaticIdGeneration says that it shall not."""
    text = """function (options) {
        __.createDocument(__.getSelfLink(), { pk: "p" }, options, function (error, made) {
            __.response.setBody(error ? error.number : made.id.length);
        });
    }"""
    assert run(container, text, {}) == 36
    assert run(container, text, {"disableAutomaticIdGeneration": True}, name="q") == 400


@pytest.mark.documented(SPROC_DOCS)
def test_an_exception_takes_back_everything(container: ContainerProxy) -> None:
    """All of a script's writes happen or none of them."""
    container.create_item({"id": "kept", "pk": KEY, "n": 1})
    text = """function () {
        var c = getContext().getCollection();
        c.createDocument(c.getSelfLink(), { id: "new", pk: "p" }, function () {
            c.upsertDocument(c.getSelfLink(), { id: "kept", pk: "p", n: 2 }, function () { throw new Error("no"); });
        });
    }"""
    with pytest.raises(CosmosHttpResponseError) as refused:
        run(container, text)
    assert refused.value.status_code == 400
    assert [(item["id"], item["n"]) for item in container.read_all_items()] == [("kept", 1)]


@pytest.mark.documented("learn.microsoft.com/azure/data-factory/connector-troubleshoot-azure-cosmos-db")
def test_an_exception_is_told_with_its_stack(container: ContainerProxy) -> None:
    """The message names exception and stack trace; the frames are the script's own."""
    text = "function outer() {\n  function inner() { throw new Error('the reason'); }\n  inner();\n}"
    with pytest.raises(CosmosHttpResponseError, match="Encountered exception while executing") as refused:
        run(container, text)
    told = str(refused.value.message)
    assert "Exception = Error: the reason" in told
    assert "at inner (p.js:2:" in told
    assert "at __docDbMain (p.js:" in told
    assert "anonymous" not in told


@pytest.mark.seen_on_azure("issue 448 of microsoft/fhir-server: 400 with the script's number as sub-status")
def test_the_number_of_an_error_is_the_sub_status(container: ContainerProxy) -> None:
    """`new Error(number, text)` answers 400 with that sub-status."""
    with pytest.raises(CosmosHttpResponseError, match="not there") as refused:
        run(container, "function () { throw new Error(404, 'not there'); }")
    assert (refused.value.status_code, refused.value.sub_status) == (400, 404)


@pytest.mark.seen_on_azure("issue 14803 of Azure/azure-sdk-for-js: a thrown string is the error")
def test_a_thrown_string_is_the_error(container: ContainerProxy) -> None:
    """What is thrown and is no Error reaches the client as it is."""
    with pytest.raises(CosmosHttpResponseError) as refused:
        run(container, "function () { throw '{\"code\":700}'; }")
    assert '{\\"code\\":700}' in str(refused.value.message)


@pytest.mark.seen_on_azure("notes that quote the service's message for a script that is no JavaScript")
def test_a_script_that_does_not_parse_is_refused_when_it_is_run(container: ContainerProxy) -> None:
    """The message has the place of the mistake."""
    with pytest.raises(CosmosHttpResponseError, match="while compiling Javascript") as refused:
        run(container, "function () { var x = ; }")
    assert refused.value.status_code == 400
    assert "line: 1" in str(refused.value.message)


@pytest.mark.read_in_sdk("azure-cosmos tests/test_crud.py: test_partitioned_collection_execute_stored_procedure")
def test_an_item_of_another_partition_is_refused(container: ContainerProxy) -> None:
    """A script stays in the partition that it was called for."""
    text = "function () { __.createDocument(__.getSelfLink(), { id: 'a', pk: 'other' }); }"
    with pytest.raises(CosmosHttpResponseError, match="partition keys other than") as refused:
        run(container, text)
    assert refused.value.status_code == 400
    assert ids_of(container) == []


@pytest.mark.documented(REFERENCE)
def test_an_etag_guards_replace_upsert_and_delete(container: ContainerProxy) -> None:
    """A stale one calls back with 412; ifNoneMatch answers a read without a body."""
    made = container.create_item({"id": "a", "pk": KEY})
    text = """function (link, etag) {
        var seen = [], done = function (error) { seen.push(error ? error.number : 0); __.response.setBody(seen); };
        __.replaceDocument(link, { id: "a", pk: "p" }, { etag: "stale" }, done);
        __.upsertDocument(__.getSelfLink(), { id: "a", pk: "p" }, { etag: "stale" }, done);
        __.deleteDocument(link, { etag: "stale" }, done);
        __.readDocument(link, { ifNoneMatch: etag }, function (error, body, options) {
            seen.push(body === undefined, options.notModified);
        });
        __.replaceDocument(link, { id: "a", pk: "p" }, { etag: etag }, done);
    }"""
    assert run(container, text, made["_self"], made["_etag"]) == [412, 412, 412, True, True, 0]


@pytest.mark.documented(REFERENCE)
def test_a_script_queries_its_partition_with_its_own_writes(container: ContainerProxy) -> None:
    """queryDocuments takes text or parameters, sees what the script wrote, and pages by continuation."""
    for number in range(5):
        container.create_item({"id": str(number), "pk": KEY, "n": number})
        container.create_item({"id": str(number), "pk": "other", "n": number})
    text = """function () {
        var pages = [];
        var query = { query: "SELECT VALUE c.id FROM c WHERE c.n >= @n", parameters: [{ name: "@n", value: 1 }] };
        function page(continuation) {
            __.queryDocuments(__.getSelfLink(), query, { pageSize: 2, continuation: continuation },
                function (error, found, options) {
                    if (error) throw error;
                    pages.push(found);
                    if (options.continuation) page(options.continuation); else __.response.setBody(pages);
                });
        }
        __.createDocument(__.getSelfLink(), { id: "mine", pk: "p", n: 9 }, function () {
            __.deleteDocument(__.getAltLink() + "/docs/3", function () { page(); });
        });
    }"""
    pages = run(container, text)
    assert pages == [["1", "2"], ["4", "mine"]]


@pytest.mark.documented(REFERENCE)
def test_the_integrated_query_interface_filters_maps_and_sorts(container: ContainerProxy) -> None:
    """chain, filter, map, pluck, flatten, unwind, sortBy and value work on the partition's items."""
    for number in (3, 1, 2):
        container.create_item({"id": str(number), "pk": KEY, "n": number, "tags": [number, [number * 10]]})
    text = """function () {
        var out = [], keep = function (error, found) { out.push(found); __.response.setBody(out); };
        __.filter(function (item) { return item.n > 1; }, function (error, found) { out.push(found.length); });
        __.pluck("n", keep);
        __.chain().sortByDescending(function (item) { return item.n; }).pluck("n").value(keep);
        __.chain().filter(function (item) { return item.n < 3; }).sortBy(function (item) { return item.n; })
            .map(function (item) { return item.tags; }).flatten().value(keep);
        __.unwind(function (item) { return item.tags; }, function (item, tag) { return item.n; }, {}, keep);
    }"""
    assert run(container, text) == [2, [3, 1, 2], [3, 2, 1], [1, 10, 2, 20], [3, 3, 1, 1, 2, 2]]


@pytest.mark.documented(REFERENCE)
def test_promises_may_wrap_the_callbacks(container: ContainerProxy) -> None:
    """An async function's transaction goes on until nothing is queued; abort takes it back."""
    create_one = "(id) => new Promise((yes) => __.createDocument(__.getSelfLink(), { id, pk: 'p' }, (e, d) => yes(d)))"
    text = f"""async function (stops) {{
        const make = {create_one};
        const first = await make("1"), second = await make("2");
        if (stops) getContext().abort(new Error("stopped"));
        __.response.setBody([first.id, second.id]);
    }}"""
    with pytest.raises(CosmosHttpResponseError, match="stopped"):
        run(container, text, True)
    assert ids_of(container) == []
    assert execute(container, False) == ["1", "2"]
    assert ids_of(container) == ["1", "2"]


@pytest.mark.read_in_sdk("azure-cosmos tests/test_crud.py: test_script_logging_execute_stored_procedure")
def test_the_log_comes_back_when_it_is_asked_for(door: Door, container: ContainerProxy) -> None:
    """console.log's text is in a header, percent-encoded, also when the script fails."""
    path = f"dbs/{door.database_of(container)}/colls/items/sprocs"
    text = "function (fails) { console.log('%s is 100%%', 'this'); if (fails) throw new Error('no'); }"
    container.scripts.create_stored_procedure({"id": "p", "body": text})
    headers = {"x-ms-documentdb-partitionkey": '["p"]'}
    asking = {**headers, "x-ms-documentdb-script-enable-logging": "True"}
    assert "x-ms-documentdb-script-log-results" not in door.call("POST", f"{path}/p", [], headers).headers
    for arguments in ([], [True]):
        told = door.call("POST", f"{path}/p", arguments, asking).headers["x-ms-documentdb-script-log-results"]
        assert unquote(told) == "this is 100%"


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/concepts-limits: 5 seconds for a script")
@pytest.mark.parametrize(
    "text",
    ["function () { while (true); }", "function () { Promise.resolve().then(() => { for (;;); }); }"],
    ids=["loop", "promise"],
)
def test_an_endless_script_is_ended_while_others_are_served(hasty: Door, text: str) -> None:
    """Neither a loop nor one in a promise holds up other requests; the answer is 408."""
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(over_http(hasty, text)[0]))
    caller.start()
    served_meanwhile = 0
    while caller.is_alive():
        assert hasty.call("GET", "dbs/d").status_code == 200
        served_meanwhile += caller.is_alive()
    assert answers == [408]
    assert served_meanwhile > 3


@pytest.mark.our_choice("the service documents no limit of memory, and a script must not take the server down")
@pytest.mark.parametrize(
    "text",
    [
        "function () { var a = []; while (true) a.push({ x: [1, 2, 3] }); }",
        "function () { new Array(1e9).fill(0); }",
        "function () { var s = 'x'; while (true) s += s; }",
        "function f() { f(); }",
    ],
    ids=["heap", "array", "string", "stack"],
)
def test_a_script_that_exhausts_memory_fails_alone(hasty: Door, text: str) -> None:
    """The script's caller hears of it, the next script and every other request are served."""
    status, _, _ = over_http(hasty, text)
    assert status in (400, 408)
    hasty.call("DELETE", "dbs/d/colls/c/sprocs/p")
    assert over_http(hasty, "function () { __.response.setBody(1); }")[:2] == (200, "1")


@pytest.mark.documented(SPROC_DOCS + ": bounded execution")
def test_operations_are_refused_before_the_time_is_over(hasty: Door) -> None:
    """A script learns by false that its time ends, tells how far it has come, and what it did is kept."""
    text = """function () {
        var made = 0;
        function next() {
            var accepted = __.createDocument(__.getSelfLink(), { id: "i" + made, pk: "p" }, function (error) {
                if (error) throw error;
                made++;
                next();
            });
            if (!accepted) __.response.setBody(made);
        }
        next();
    }"""
    status, body, _ = over_http(hasty, text)
    assert status == 200
    count = hasty.call("GET", "dbs/d/colls/c/docs", headers={"x-ms-max-item-count": "-1"})
    assert int(body) > 10
    assert count.json()["_count"] == min(int(body), 1000)


@pytest.mark.our_choice("the REST reference: a script is a request like others")
def test_an_execution_is_charged_and_moves_the_session(hasty: Door) -> None:
    """The charge grows with what was done; one LSN for all writes of a script."""
    _, _, idle = over_http(hasty, "function () {}")
    hasty.call("DELETE", "dbs/d/colls/c/sprocs/p")
    text = "function () { for (var i = 0; i < 3; i++) __.createDocument(__.getSelfLink(), { pk: 'p' }); }"
    _, _, busy = over_http(hasty, text)
    assert float(busy["x-ms-request-charge"]) > float(idle["x-ms-request-charge"]) + 3 * 4.5
    assert int(busy["lsn"]) == int(idle["lsn"]) + 1
    assert busy["x-ms-session-token"] == f"0:-1#{busy['lsn']}"
    ahead = {"x-ms-session-token": f"0:-1#{int(busy['lsn']) + 1}"}
    status, _, headers = over_http(hasty, text, ahead)
    assert (status, headers["x-ms-substatus"]) == (404, "1002")


@pytest.mark.our_choice("a script may do what it likes to its own world, and not to the server")
@pytest.mark.parametrize(
    "text",
    [
        "function () { Object.prototype.toJSON = function () { return 5; }; }",
        (
            "function () { Array.prototype.splice = function () { return [{ number: 1, operation: 'read' }]; };"
            " __.readDocument(__.getAltLink() + '/docs/a'); }"
        ),
        "function () { Map.prototype.get = null; __.readDocument(__.getAltLink() + '/docs/a'); }",
        (
            "function () { Error.prototype.toString = null;"
            " Object.defineProperty(Error.prototype, 'stack', { value: 1 });"
            " throw Object.assign(new Error(), { message: { a: 1 }, name: [] }); }"
        ),
        "function () { throw { toJSON: function () { throw 1; } }; }",
        "function () { throw undefined; }",
        "function () { throw Symbol('s'); }",
        "function () { __emulator = null; }",
        "}); while (0) {",
        "function () { return 1; } }, function () { throw 1; ",
    ],
    ids=range(10),
)
def test_a_script_that_breaks_its_world_fails_alone(container: ContainerProxy, text: str) -> None:
    """Whatever it redefines or throws, its caller gets an answer and the next script runs."""
    try:
        run(container, text)
    except CosmosHttpResponseError as refused:
        assert refused.status_code == 400  # noqa: PT017 - some of these harm nobody
    assert run(container, "function () { __.response.setBody(1); }", name="next") == 1


@pytest.mark.our_choice("what is not built says so by name")
@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("__.createAttachment('x', {})", "createAttachment"),
        ("__.response.getMaxResourceQuota()", "getMaxResourceQuota"),
    ],
)
def test_what_scripts_cannot_do_is_told_by_name(container: ContainerProxy, expression: str, name: str) -> None:
    """Attachments and quotas of the server-side interface: sub-status 501 and the function's name."""
    with pytest.raises(CosmosHttpResponseError, match=f"{name} is not implemented") as refused:
        run(container, f"function () {{ {expression}; }}")
    assert (refused.value.status_code, refused.value.sub_status) == (400, 501)


@pytest.mark.our_choice("a malformed call is told apart from a script that fails")
def test_malformed_executions_are_refused(hasty: Door) -> None:
    """The arguments are an array, the partition key is there and whole, the procedure exists."""
    hasty.call("POST", "dbs/d/colls/c/sprocs", {"id": "p", "body": "function () {}"})
    keyed = {"x-ms-documentdb-partitionkey": '["p"]'}
    ranged = {"x-ms-documentdb-partitionkeyrangeid": "0"}
    statuses = [
        hasty.call("POST", "dbs/d/colls/c/sprocs/p", {"not": "an array"}, keyed).status_code,
        hasty.call("POST", "dbs/d/colls/c/sprocs/p", [], {}).status_code,
        hasty.call("POST", "dbs/d/colls/c/sprocs/other", [], keyed).status_code,
        hasty.call("POST", "dbs/d/colls/c/sprocs/p", [], ranged).status_code,
    ]
    assert statuses == [400, 400, 404, 501]


@pytest.mark.documented(SPROC_DOCS + ": transactions with snapshot isolation")
def test_scripts_that_meet_lose_no_update(container: ContainerProxy, url: str) -> None:
    """Increments of one item by scripts that run at the same time all count."""
    container.create_item({"id": "counter", "pk": KEY, "n": 0})
    text = """function () {
        __.readDocument(__.getAltLink() + "/docs/counter", function (error, counter) {
            if (error) throw error;
            counter.n++;
            __.replaceDocument(counter._self, counter, function (error) { if (error) throw error; });
        });
    }"""
    container.scripts.create_stored_procedure({"id": "p", "body": text})
    outcomes: list[int] = []

    def increment() -> None:
        for _ in range(5):
            try:
                execute(container)
                outcomes.append(200)
            except CosmosHttpResponseError as refused:
                outcomes.append(refused.status_code or 0)

    threads = [threading.Thread(target=increment) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {200, 449}
    assert container.read_item("counter", KEY)["n"] == outcomes.count(200) > 0


@pytest.mark.documented("learn.microsoft.com/azure/cosmos-db/unique-keys")
def test_unique_keys_and_versions_hold_in_scripts(client: CosmosClient, container: ContainerProxy) -> None:
    """A script meets the values of other items, and its writes are in the feed of all versions."""
    database = client.get_database_client(container.container_link.split("/")[1])
    policy = {"uniqueKeys": [{"paths": ["/mail"]}]}
    unique = database.create_container("unique", PartitionKey("/pk"), unique_key_policy=policy)
    unique.create_item({"id": "a", "pk": KEY, "mail": "x"})
    text = """function (mail) {
        __.createDocument(__.getSelfLink(), { id: mail, pk: "p", mail: mail }, function (error) {
            __.response.setBody(error ? [error.number, error.body] : []);
        });
    }"""
    assert run(unique, text, "x") == [409, '{"Errors":["Unique index constraint violation."]}']
    assert execute(unique, "y") == []
    with pytest.raises(CosmosHttpResponseError):
        unique.create_item({"id": "b", "pk": KEY, "mail": "y"})


@pytest.mark.our_choice("with --data, an acknowledgement is a promise")
def test_what_a_script_wrote_is_there_after_a_restart(tmp_path: Path) -> None:
    """Items, their rids and their ETags are those that the script was told."""
    text = (
        "function () { __.createDocument(__.getSelfLink(), { id: 'a', pk: 'p' }, (e, d) => __.response.setBody(d)); }"
    )
    with served(lambda: create(tmp_path)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        made = run(client.create_database("d").create_container("c", PartitionKey("/pk")), text)
    with served(lambda: create(tmp_path)) as url, CosmosClient(url, WELL_KNOWN_KEY) as client:
        container = client.get_database_client("d").get_container_client("c")
        assert container.read_item("a", KEY) == made
        container.create_item({"id": "b", "pk": KEY})
