"""Web apps: FastAPI requests and streams through the web extension, ASGI and WSGI apps behind one function."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulators.functions_host.running import RunningHost, failed_start, running_host, write_app

STREAMS = """
import asyncio
import azure.functions as func
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, Response, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
go_on = asyncio.Event()

@app.route("down")
async def Down(req: Request) -> StreamingResponse:
    async def parts():
        try:
            yield b"first;"
            await go_on.wait()
            yield b"second"
        except asyncio.CancelledError:
            print("the client has left", flush=True)
            raise
    return StreamingResponse(parts(), media_type="text/event-stream")

@app.route("go-on")
async def GoOn(req: Request) -> Response:
    go_on.set()
    return Response(status_code=204)

@app.route("up/{name}", methods=["POST"])
async def Up(req: Request) -> JSONResponse:
    sizes = []
    async for part in req.stream():
        if part:
            print("part of", len(part), flush=True)
            sizes.append(len(part))
    return JSONResponse({"sizes": sizes, "name": req.path_params["name"], "query": dict(req.query_params)},
                        headers={"x-mine": "1"})

@app.route("at-once")
async def AtOnce(req: Request) -> StreamingResponse:
    async def parts():
        yield b"first;"
        yield b"second"
    return StreamingResponse(parts())

@app.route("plain")
async def Plain(req: Request) -> dict:
    return {"method": req.method, "url": str(req.url)}

@app.route("raises")
async def Raises(req: Request) -> Response:
    raise ValueError("secret detail")
"""
SOURCE = pytest.mark.read_in_sdk("azure_functions_worker http_v2.py, azurefunctions-extensions-http-fastapi web.py")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host that runs STREAMS."""
    values = {"PYTHON_ENABLE_INIT_INDEXING": "1"}
    with running_host(write_app(tmp_path_factory.mktemp("web"), STREAMS, values=values)) as started:
        yield started


@SOURCE
def test_an_answer_is_streamed(host: RunningHost) -> None:
    """The first part arrives while the function still has the second to make."""
    answer = host.call("GET", "/api/down", stream=True)
    parts = answer.iter_content(None)
    assert next(parts) == b"first;"
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert host.call("GET", "/api/go-on").status_code == 204
    assert b"".join(parts) == b"second"


@SOURCE
def test_a_request_is_streamed(host: RunningHost) -> None:
    """The function reads a chunked body as it comes; route values and query are the host's."""

    def body() -> Iterator[bytes]:
        yield b"1" * 10
        host.until("part of 10")
        yield b"2" * 20

    answer = host.call("POST", "/api/up/me?q=1", data=body())
    assert answer.json() == {"sizes": [10, 20], "name": "me", "query": {"q": "1"}}
    assert answer.headers["x-mine"] == "1"


@pytest.mark.read_in_sdk(
    "azure-functions-host HttpRequestBodySizeMiddleware.cs: Kestrel's limit holds for chunked bodies"
)
def test_a_streamed_body_has_a_limit(tmp_path: Path) -> None:
    """413 when a chunked body goes beyond it, however it was announced; one at the limit is taken."""
    values = {"PYTHON_ENABLE_INIT_INDEXING": "1", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "30"}
    with running_host(write_app(tmp_path, STREAMS, values=values)) as host:
        for parts, status in (((10, 20), 200), ((10, 20, 1), 413), ((31,), 413)):
            assert host.call("POST", "/api/up/me", data=iter([b"1" * part for part in parts])).status_code == status


@SOURCE
def test_parts_that_are_there_already_go_out_as_one(host: RunningHost) -> None:
    """As by the real host's proxy: the caller sees no seam between parts made without a wait."""
    assert list(host.call("GET", "/api/at-once", stream=True).iter_content(None)) == [b"first;second"]


@SOURCE
def test_what_the_web_framework_makes_of_results_and_failures(host: RunningHost) -> None:
    """A dict is JSON; an exception is 500 with the web server's words, its details only in the log."""
    answer = host.call("GET", "/api/plain?a=b")
    assert answer.json() == {"method": "GET", "url": f"{host.url}/api/plain?a=b"}
    failed = host.call("GET", "/api/raises")
    assert (failed.status_code, failed.text) == (500, "Internal Server Error")
    host.until("Exception: ValueError: secret detail")


@SOURCE
def test_a_client_that_leaves_ends_the_stream(tmp_path: Path) -> None:
    """The generator is cancelled; nothing is left running."""
    values = {"PYTHON_ENABLE_INIT_INDEXING": "1"}
    with running_host(write_app(tmp_path, STREAMS, values=values)) as host:
        name, _, port = host.url.removeprefix("http://").partition(":")
        with socket.create_connection((name, int(port)), timeout=30) as client:
            client.sendall(b"GET /api/down HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = b""
            while b"first;" not in heard:
                heard += client.recv(65536)
        host.until("the client has left")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the worker of Python 3.13 always looks for it")
@SOURCE
def test_the_extension_needs_its_setting(tmp_path: Path) -> None:
    """Without PYTHON_ENABLE_INIT_INDEXING requests would hang on Azure: the functions are in error."""
    with running_host(write_app(tmp_path, STREAMS)) as host:
        host.until("The 'Down' function is in error: the app imports a web extension")
        assert host.call("GET", "/api/plain").status_code == 404


@SOURCE
def test_the_extension_takes_all_http_functions(tmp_path: Path) -> None:
    """A function with the library's own request type fails the indexing, as with the real worker."""
    source = STREAMS + '\n@app.route("old")\ndef Old(req: func.HttpRequest) -> func.HttpResponse: ...\n'
    code, printed = failed_start(write_app(tmp_path, source, values={"PYTHON_ENABLE_INIT_INDEXING": "1"}))
    assert code == 1
    assert "'req' binding type \"httpTrigger\"" in printed


ASGI = """
import azure.functions as func
from fastapi import FastAPI, Request

api = FastAPI()

@api.post("/things/{name}")
async def thing(name: str, request: Request):
    return {"name": name, "body": (await request.body()).decode(), "query": dict(request.query_params)}

@api.get("/")
def root():
    return "root"

app = func.AsgiFunctionApp(app=api, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
WSGI = """
import azure.functions as func

def wsgi(environ, start_response):
    start_response("201 Created", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]

app = func.WsgiFunctionApp(app=wsgi, http_auth_level=func.AuthLevel.ANONYMOUS)
"""


@pytest.mark.read_in_sdk("azure-functions decorators/function_app.py AsgiFunctionApp: the route {*route}")
def test_an_asgi_app_gets_every_path(tmp_path: Path) -> None:
    """Path, query and body reach it; what it does not know is its own 404."""
    host_json = {"extensions": {"http": {"routePrefix": ""}}}
    with running_host(write_app(tmp_path, ASGI, host=host_json)) as host:
        answer = host.call("POST", "/things/a%20b?q=1", data="body")
        assert answer.json() == {"name": "a b", "body": "body", "query": {"q": "1"}}
        assert host.call("GET", "/").json() == "root"
        unknown = host.call("GET", "/nowhere")
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
        assert host.call("GET", "/admin/host/status").json()["state"] == "Running"


@pytest.mark.our_choice("an ASGI app's lifespan ends with its worker; the real one is killed")
def test_an_asgi_app_hears_of_its_start_and_end(tmp_path: Path) -> None:
    """It starts with the first request and ends when the host does, without a word of the machinery."""
    source = ASGI.replace(
        "api = FastAPI()",
        """
import contextlib
@contextlib.asynccontextmanager
async def lifespan(app):
    print("opened", flush=True)
    yield
    print("closed", flush=True)

api = FastAPI(lifespan=lifespan)
""",
    )
    with running_host(write_app(tmp_path, source, host={"extensions": {"http": {"routePrefix": ""}}})) as host:
        for _ in range(2):
            assert host.call("GET", "/").json() == "root"
    printed = [line.partition("] ")[2] or line for line in host.lines]
    assert (printed.count("opened"), printed.count("closed"), printed[-1]) == (1, 1, "closed")


@pytest.mark.read_in_sdk("azure-functions decorators/function_app.py WsgiFunctionApp: the route {*route}")
def test_a_wsgi_app_gets_every_path(tmp_path: Path) -> None:
    """With the prefix of host.json before its own paths."""
    with running_host(write_app(tmp_path, WSGI)) as host:
        answer = host.call("PUT", "/api/some/where", data="body")
        assert (answer.status_code, answer.text, answer.headers["x-path"]) == (201, "PUT body", "/api/some/where")
