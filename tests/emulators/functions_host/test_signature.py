"""What the worker takes for a function and what it refuses, in its own words: each case was put to the real worker."""

from __future__ import annotations

from typing import Any

import pytest

from emulators.functions_host.errors import AppNotIndexed
from emulators.functions_host.index import index_functions
from emulators.functions_host.settings import Configuration, Settings

SOURCE = pytest.mark.read_in_sdk("azure_functions_worker functions.py; observed with worker 4.34, azure-functions 1.26")
HEAD = """
import functools, typing
import azure.functions as func
app = func.FunctionApp()
def plain(f):
    def wrapper(*a, **k): return f(*a, **k)
    return wrapper
def wrapped(f):
    @functools.wraps(f)
    def wrapper(*a, **k): return f(*a, **k)
    return wrapper
"""
HTTP, EVENT, TIMER = "@app.route()\n", "@app.event_grid_trigger('event')\n", "@app.timer_trigger('t', '0 * * * *')\n"
FEED = "@app.cosmos_db_trigger('docs', connection='C', database_name='d', container_name='c')\n"
QUEUE = "@app.queue_trigger('message', 'q', 'C')\n"
EVENT_OUT = "@app.event_grid_output('out', topic_endpoint_uri='U', topic_key_setting='K')\n"
COSMOS_OUT = "@app.cosmos_db_output('out', connection='C', database_name='d', container_name='c')\n"
COSMOS_IN = "@app.cosmos_db_input('found', connection='C', database_name='d', container_name='c')\n"

TAKEN = [
    HTTP + "def f(req: func.HttpRequest) -> func.HttpResponse: ...",
    HTTP + "async def f(req: func.HttpRequest) -> func.HttpResponse: ...",
    HTTP + "def f(req): ...",
    HTTP + "def f(req: func.HttpRequest) -> str: ...",
    "@app.route(trigger_arg_name='request')\ndef f(request: func.HttpRequest) -> func.HttpResponse: ...",
    HTTP + "def f(req: func.HttpRequest, context: func.Context): ...",
    HTTP + "def f(req: func.HttpRequest, context): ...",
    HTTP + "def f(req: func.HttpRequest, *, context: func.Context): ...",
    HTTP + "@wrapped\ndef f(req: func.HttpRequest): ...",
    HTTP + "@wrapped\nasync def f(req: func.HttpRequest): ...",
    EVENT + "def f(event: func.EventGridEvent): ...",
    EVENT + "def f(event): ...",
    EVENT + "def f(event: str): ...",
    EVENT + "async def f(event: func.EventGridEvent): ...",
    EVENT + "def f(event: func.EventGridEvent): return 1",
    TIMER + "def f(t: func.TimerRequest): ...",
    FEED + "def f(docs: func.DocumentList): ...",
    FEED + "def f(docs: str): ...",
    FEED + "def f(docs): ...",
    QUEUE + "def f(message: func.QueueMessage): ...",
    QUEUE + "def f(message: str): ...",
    TIMER + EVENT_OUT + "def f(t: func.TimerRequest, out: func.Out[str]): ...",
    TIMER + EVENT_OUT + "def f(t: func.TimerRequest, out: func.Out[typing.List[func.EventGridOutputEvent]]): ...",
    TIMER + COSMOS_OUT + "def f(t: func.TimerRequest, out: func.Out[func.Document]): ...",
    TIMER + COSMOS_OUT + "def f(t: func.TimerRequest, out: func.Out[func.DocumentList]): ...",
    TIMER + COSMOS_OUT + "def f(t: func.TimerRequest, out: func.Out[str]): ...",
    TIMER + COSMOS_IN + "def f(t: func.TimerRequest, found: func.DocumentList): ...",
    "@app.retry('exponential_backoff', '3', minimum_interval='00:00:01', maximum_interval='00:01:00')\n"
    + TIMER
    + "def f(t: func.TimerRequest): ...",
    "@app.retry('fixed_delay', '-1', delay_interval='00:00:01')\n" + TIMER + "def f(t: func.TimerRequest): ...",
]
REFUSED = [
    (HTTP + "def f(req) -> None: ...", 'Python return annotation "NoneType" does not match binding type "http"'),
    (HTTP + "def f(req) -> typing.Optional[func.HttpResponse]: ...", "has invalid non-type return annotation"),
    (HTTP + "def f(req) -> func.HttpResponse | None: ...", "has invalid non-type return annotation"),
    (HTTP + "def f(req) -> dict: ...", 'Python return annotation "dict" does not match binding type "http"'),
    (HTTP + "def f(request): ...", "declared in Python but not in function.json: {'request'}"),
    (HTTP + "def f(req, context: typing.Any): ...", 'the "context" parameter is expected to be of type'),
    (HTTP + "def f(req, ctx): ...", "declared in Python but not in function.json: {'ctx'}"),
    (HTTP + "def f(req, db=None): ...", "declared in Python but not in function.json: {'db'}"),
    (HTTP + "def f(req, **kw): ...", "declared in Python but not in function.json: {'kw'}"),
    (HTTP + "@plain\ndef f(req): ...", "declared in Python but not in function.json: {"),
    (EVENT + "def f(event: dict): ...", "'event' binding type \"eventGridTrigger\" and dataType"),
    (EVENT + "def f(event: typing.List[func.EventGridEvent]): ...", "'event' binding type \"eventGridTrigger\""),
    (EVENT + "def f(event: typing.Union[func.EventGridEvent, str]): ...", "event"),
    (TIMER + "def f(): ...", "declared in function.json but not in Python: {'t'}"),
    (FEED + "def f(docs: typing.List[func.Document]): ...", "issubclass() arg 1 must be a class"),
    (FEED + "def f(docs: list): ...", "'docs' binding type \"cosmosDBTrigger\" and dataType"),
    (HTTP + "def f(req): ...\n" + HTTP + "def f(req): ...", "Function f does not have a unique function name."),
    ("@app.function_name('f')\ndef f(req): ...", "Function f does not have a trigger."),
    ("@app.retry('fixed_delay', '3')\n" + TIMER + "def f(t: func.TimerRequest): ...", "strptime() argument"),
]


def index(source: str) -> list[Any]:
    """The functions of an app."""
    names: dict[str, Any] = {}
    exec(HEAD + source, names)  # the text is above
    return index_functions(names["app"], Settings({}), Configuration({"version": "2.0"}))


@pytest.mark.parametrize("source", TAKEN, ids=range(len(TAKEN)))
@SOURCE
def test_what_the_worker_takes_is_taken(source: str) -> None:
    """Annotated or not, sync or async, wrapped with functools.wraps, with outputs and inputs, with retry policies."""
    assert len(index(source)) == 1


@pytest.mark.parametrize(("source", "words"), REFUSED, ids=range(len(REFUSED)))
@SOURCE
def test_what_the_worker_refuses_is_refused(source: str, words: str) -> None:
    """The whole app is not indexed, with the worker's words."""
    with pytest.raises((AppNotIndexed, ValueError)) as refusal:
        index(source)
    assert words in str(refusal.value)
