"""HTTP triggers: routes, what a function gets, and what its caller gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulators.functions_host.running import RunningHost, running_host, write_app

APP = """
import asyncio, json, logging, threading
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def echo(req):
    return func.HttpResponse(json.dumps({
        "url": req.url, "method": req.method, "route": dict(req.route_params), "query": dict(req.params),
        "header": req.headers.get("x-given"), "body": req.get_body().decode()}), mimetype="application/json")

@app.route("things/{id:int:min(1)}", methods=["GET", "POST"])
def ById(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("optional/{name?}")
async def Optional(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("files/{*path}")
def Files(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("reports/{report-id}.{ending?}")
def Report(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route()
def Plain(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("text", status_code=418, headers={"X-Mine": "1", "Set-Cookie": "a=b; Path=/"})

@app.route()
def Cookies(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse("set")
    for each in req.get_json():
        answer.headers.add("Set-Cookie", each)
    return answer

@app.route()
def OwnLoop(req: func.HttpRequest) -> func.HttpResponse:
    async def log():
        logging.info("from a loop of its own")
    asyncio.new_event_loop().run_until_complete(log())
    return func.HttpResponse("logged")

@app.route()
def Text(req: func.HttpRequest) -> str:
    return '{"statusCode": 201, "body": {"a": [1]}}'

@app.route()
def Misshapen(req: func.HttpRequest) -> str:
    return '{"body": 1, "headers": ["x"]}'

@app.route()
def Raises(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("secret detail")

@app.route()
def Nothing(req: func.HttpRequest):
    return None

@app.route()
def Where(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return func.HttpResponse(json.dumps([
        threading.current_thread() is threading.main_thread(), context.function_name, context.invocation_id,
        context.trace_context.Traceparent]))

@app.route("administrators")
def Reserved(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("things/{id:int:min(1)}", methods=["POST"])
def ZLater(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("queued")
@app.sql_output(arg_name="out", command_text="[t]", connection_string_setting="S")
def Queued(req: func.HttpRequest, out: func.Out[func.SqlRow]) -> func.HttpResponse:
    return echo(req)

@app.route("runtimes")
@app.sql_output(arg_name="out", command_text="[t]", connection_string_setting="S")
def QueuedReserved(req: func.HttpRequest, out: func.Out[func.SqlRow]) -> func.HttpResponse:
    return echo(req)

@app.route("cancels")
async def Cancels(req: func.HttpRequest) -> func.HttpResponse:
    raise asyncio.CancelledError
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host that runs APP with a body limit of 1000 bytes and CORS for one origin."""
    root = write_app(tmp_path_factory.mktemp("http"), APP, values={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"})
    with running_host(root, "--cors", "http://shop.example") as started:
        yield started


@pytest.mark.read_in_sdk("azure-functions-host GrpcMessageConversionExtensions.cs")
def test_a_function_sees_the_request(host: RunningHost) -> None:
    """URL, method, route values, query (duplicates joined, empty ones dropped), headers and body arrive."""
    answer = host.call("POST", "/api/things/7?a=1&a=2&empty=", data="body", headers={"X-Given": "yes"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "url": f"{host.url}/api/things/7?a=1&a=2&empty=",
        "method": "POST",
        "route": {"id": "7"},
        "query": {"a": "1,2"},
        "header": "yes",
        "body": "body",
    }


@pytest.mark.read_in_sdk("azure-functions-host GrpcMessageConversionExtensions.cs: body only with Content-Length")
def test_a_chunked_body_does_not_reach_python(host: RunningHost) -> None:
    """Without Content-Length the function sees an empty body."""
    assert host.call("POST", "/api/things/7", data=iter([b"body"])).json()["body"] == ""


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/API/Optional/", {}),
        ("GET", "/api/optional/a%20b", {"name": "a b"}),
        ("GET", "/api/files/a/b/c", {"path": "a/b/c"}),
        ("DELETE", "/api/files", {}),
        ("GET", "/api/reports/may.2026.csv", {"report-id": "may.2026", "ending": "csv"}),
        ("GET", "/api/reports/may", {"report-id": "may"}),
    ],
)
@pytest.mark.documented("learn.microsoft.com aspnet/core routing: route templates")
def test_templates_match(host: RunningHost, method: str, path: str, route: dict[str, str]) -> None:
    """Case does not matter, an absent optional value is absent, a catch-all takes the rest; names may have dashes."""
    assert host.call(method, path).json()["route"] == route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/things/zero"),
        ("GET", "/api/things/0"),
        ("PUT", "/api/things/7"),
        ("HEAD", "/api/things/7"),
        ("GET", "/things/7"),
        ("GET", "/api/administrators"),
        ("GET", "/nowhere"),
    ],
)
@pytest.mark.read_in_sdk("azure-functions-host WebScriptHostHttpRoutesManager.cs: a wrong method does not match")
def test_what_does_not_match_is_404(host: RunningHost, method: str, path: str) -> None:
    """A failed constraint, a wrong method (never 405), a missing prefix and a reserved route are all 404, empty."""
    answer = host.call(method, path)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.read_in_sdk("azure-functions _http.py, azure-functions-host RawScriptResult.cs")
def test_an_answer_keeps_status_headers_and_cookies(host: RunningHost) -> None:
    """What HttpResponse holds is what the caller gets, text with its charset."""
    answer = host.call("GET", "/api/plain")
    assert (answer.status_code, answer.text) == (418, "text")
    assert answer.headers["x-mine"] == "1"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["set-cookie"] == "a=b; domain=; path=/"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a=b", "a=b; domain=; path="),
        (
            "a=1; Domain=example.com; Expires=Thu, 12-Jan-2017 13:55:08 GMT; Path=/; Max-Age=100; Secure; HttpOnly",
            "a=1; expires=Thu, 12 Jan 2017 13:55:08 GMT; max-age=100; domain=example.com; path=/; secure; httponly",
        ),
        ("a=b/c%3D=; Path=/x; SameSite=Strict", "a=b%2Fc%253D%3D; domain=; path=/x; samesite=strict"),
        ("a=1; SameSite=None; Secure", "a=1; domain=; path=; secure; samesite=none"),
        ("a=1; Expires=2030-01-02T03:04:05+00:00", "a=1; expires=Wed, 02 Jan 2030 03:04:05 GMT; domain=; path="),
    ],
)
@pytest.mark.read_in_sdk("azure_functions_worker datumdef.py and its test_http_functions.py; host RawScriptResult.cs")
def test_cookies_are_written_as_the_host_writes_them(host: RunningHost, given: str, sent: str) -> None:
    """Taken apart and put together again: in one order, lower-case, values percent-encoded; two are two headers."""
    answer = host.call("POST", "/api/cookies", json=[given, "z=0"])
    assert answer.raw.headers.getlist("set-cookie") == [sent, "z=0; domain=; path="]


@pytest.mark.read_in_sdk("azure_functions_worker datumdef.py: parse_cookie_attr_expires; nullable_converters.py")
def test_a_cookie_that_cannot_be_read_fails_the_answer(host: RunningHost) -> None:
    """500, and the log has the worker's words on a line of their own."""
    assert host.call("POST", "/api/cookies", json=["a=b; Expires=Dummy"]).status_code == 500
    line = host.until("Can not parse value Dummy of expires")
    assert line.endswith("] Can not parse value Dummy of expires in the cookie due to invalid format.")


@pytest.mark.read_in_sdk("azure_functions_worker dispatcher.py: get_current_invocation_id")
def test_a_loop_of_the_functions_own_logs_for_it(host: RunningHost) -> None:
    """What runs in a loop that a sync function makes belongs to the invocation of its thread."""
    assert host.call("GET", "/api/ownloop").text == "logged"
    assert host.until("from a loop of its own").endswith("Z] from a loop of its own")


@pytest.mark.read_in_sdk("azure-functions-host HttpBinding.cs")
def test_a_returned_json_text_is_a_response_object(host: RunningHost) -> None:
    """A JSON object with a body is taken apart: status and indented body."""
    answer = host.call("GET", "/api/text")
    assert (answer.status_code, answer.json()) == (201, {"a": [1]})
    assert "\n" in answer.text


@pytest.mark.parametrize("path", ["/api/raises", "/api/nothing", "/api/cancels", "/api/misshapen"])
@pytest.mark.read_in_sdk("azure-functions-host ExceptionMiddleware.cs")
def test_a_failure_is_500_without_a_word(host: RunningHost, path: str) -> None:
    """An exception or an unusable result tells the caller nothing."""
    answer = host.call("GET", path)
    assert (answer.status_code, answer.content) == (500, b"")


@pytest.mark.read_in_sdk("azure-functions-host RpcException.cs: the console shows the Python traceback")
def test_the_log_shows_the_users_traceback(host: RunningHost) -> None:
    """The failure's own text and line are on the console."""
    host.call("GET", "/api/raises")
    host.until("Exception: ValueError: secret detail")
    host.until('raise ValueError("secret detail")')
    host.until("Executed 'Functions.Raises' (Failed, Id=")


@pytest.mark.read_in_sdk("azure_functions_worker dispatcher.py: sync functions run in a pool of threads")
def test_sync_functions_run_in_threads_and_know_their_invocation(host: RunningHost) -> None:
    """A sync function is off the main thread; its context names it and continues the caller's trace."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    on_main, name, invocation, seen = host.call("GET", "/api/where", headers={"traceparent": trace}).json()
    assert (on_main, name) == (False, "Where")
    assert seen.split("-")[1] == trace.split("-")[1]
    assert seen.split("-")[2] != trace.split("-")[2]
    host.until(f"Executed 'Functions.Where' (Succeeded, Id={invocation}, Duration=")


@pytest.mark.read_in_sdk("azure-functions-host ScriptHost.cs ValidateHttpFunction")
def test_routes_that_cannot_be_are_named(host: RunningHost) -> None:
    """A reserved route and one that another function has put their function in error; the rest run."""
    for name in ("Reserved", "QueuedReserved"):
        host.until(
            f"The '{name}' function is in error: The specified route conflicts with one or more built in routes."
        )
    host.until(
        "The 'ZLater' function is in error: The route specified conflicts with the route defined by function 'ById'."
    )


@pytest.mark.our_choice("what is not built says so, instead of a 404 that looks like a mistake of the user")
def test_a_binding_that_is_not_built_answers_501(host: RunningHost) -> None:
    """The route of a function with such a binding names it."""
    answer = host.call("GET", "/api/queued")
    assert answer.status_code == 501
    assert "output binding type 'sql' (parameter 'out')" in answer.text


@pytest.mark.read_in_sdk("azure-functions-host HttpRequestBodySizeMiddleware.cs")
def test_a_body_over_the_limit_is_413(host: RunningHost) -> None:
    """FUNCTIONS_REQUEST_BODY_SIZE_LIMIT is obeyed to the byte."""
    assert host.call("POST", "/api/optional/x", data=b"1" * 1000).status_code == 200
    assert host.call("POST", "/api/optional/x", data=b"1" * 1001).status_code == 413


@pytest.mark.read_in_sdk("azure-functions-core-tools Startup.cs: ASP.NET Core CORS with any method and header")
def test_cors_lets_in_the_named_origin_only(host: RunningHost) -> None:
    """A preflight is answered before routing; an answer names the origin when it is allowed."""
    asked = {"Origin": "http://shop.example", "Access-Control-Request-Method": "PUT"}
    preflight = host.call("OPTIONS", "/api/things/7", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "PUT"
    allowed = host.call("GET", "/api/plain", headers={"Origin": "http://shop.example"})
    assert allowed.headers["access-control-allow-origin"] == "http://shop.example"
    other = host.call("GET", "/api/plain", headers={"Origin": "http://other.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.read_in_sdk("azure-functions-host HomepageMiddleware.cs")
def test_the_root_is_a_page(host: RunningHost) -> None:
    """GET / shows that the host runs."""
    answer = host.call("GET", "/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
