"""Checks of the functions' own source: what they return, and what they must not wait for. Reads, never runs."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

from emulators.functions_host.doctor.findings import Finding, error, warning
from emulators.functions_host.doctor.project import Project
from emulators.functions_host.index import Function
from emulators.functions_host.registry import HTTP

BLOCKING = {
    "time.sleep": "await asyncio.sleep(…)",
    "requests.get": "an async client such as aiohttp",
    "requests.post": "an async client such as aiohttp",
    "requests.put": "an async client such as aiohttp",
    "requests.patch": "an async client such as aiohttp",
    "requests.delete": "an async client such as aiohttp",
    "requests.request": "an async client such as aiohttp",
    "urllib.request.urlopen": "an async client such as aiohttp",
    "subprocess.run": "asyncio.create_subprocess_exec",
    "subprocess.check_output": "asyncio.create_subprocess_exec",
    "subprocess.check_call": "asyncio.create_subprocess_exec",
}
"""Calls that hold the event loop, and what to call instead."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef


def check_blocking_calls(project: Project) -> Iterator[Finding]:
    """Calls in async functions that make every other invocation wait."""
    for where, tree in project.sources.items():
        for definition in (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)):
            for node in _own_nodes(definition):
                if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in BLOCKING:
                    yield warning(
                        "blocking-call",
                        f"{where}:{node.lineno}",
                        f"{name} in the async function {definition.name} stops every invocation of this worker.",
                        f"Use {BLOCKING[name]}, or make the function a plain `def`: it then runs in a thread.",
                    )


def check_returns(project: Project) -> Iterator[Finding]:
    """Results that the worker cannot encode."""
    for function in project.functions:
        definition = _definition(function)
        if definition is None:
            continue
        for node in _own_nodes(definition):
            if isinstance(node, ast.Return):
                yield from _judge(function, node)


def _judge(function: Function, statement: ast.Return) -> Iterator[Finding]:
    value = statement.value
    is_none = value is None or (isinstance(value, ast.Constant) and value.value is None)
    if function.trigger.type.lower() == HTTP:
        is_bytes = isinstance(value, ast.Constant) and isinstance(value.value, bytes)
        if is_none or is_bytes or isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.Set):
            shown = "None" if value is None else ast.unparse(value)
            yield error(
                "http-result",
                function.name,
                f"It returns {shown}: the caller gets 500, since the worker encodes HttpResponse and str only.",
                "Return func.HttpResponse(json.dumps(…), mimetype='application/json').",
            )
    elif function.signature.returns is None and not is_none:
        yield error(
            "result-without-binding",
            function.name,
            f"It returns {ast.unparse(value) if value else ''} and has no $return binding: each invocation fails.",
            "Return nothing, or declare an output binding.",
        )


def _definition(function: Function) -> Definition | None:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function.call)))
        node = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None  # made by a library, not written in a file
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _own_nodes(definition: Definition) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes inside it."""
    ahead: list[ast.AST] = list(definition.body)
    while ahead:
        node = ahead.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            ahead.extend(ast.iter_child_nodes(node))
