"""The contract is served, says what the functions are, and keeps its word to callers who know nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests

from order_contract.document import build
from order_contract.operations import OPERATIONS
from tests.order_contract.http_file import Session, read_http_file
from tests.served_app import FUNCTION_KEY, HTTP_SECONDS_MAX, ServedApp, app_functions
from update_order_status import errors as commands
from update_order_status.errors import Problem as CommandProblem
from update_order_status_read_model import errors as queries
from update_order_status_read_model.errors import Problem as QueryProblem

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
SCHEMATHESIS_SECONDS_MAX = 170
EXAMPLES = 5
"""Generated per operation and phase: it is the coverage phase that finds most, and it is exhaustive by itself."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


@pytest.fixture(scope="module")
def contract(app: ServedApp) -> dict[str, Any]:
    """The contract as a consumer gets it: without a key."""
    answer = requests.get(f"{app.api}/openapi.json", timeout=HTTP_SECONDS_MAX)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.timeout(SCHEMATHESIS_SECONDS_MAX + 10)
def test_the_service_keeps_its_contract(app: ServedApp, tmp_path: Path) -> None:
    """Whatever schemathesis makes of the contract (examples, borders, nonsense, links), every answer is as stated."""
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
            *("run", f"{app.api}/openapi.json", "--url", app.api, "-H", f"x-functions-key: {FUNCTION_KEY}"),
            *(
                "--exclude-checks",
                "unsupported_method",
                "--max-examples",
                str(EXAMPLES),
                "--seed",
                "20261123",
                "--no-color",
                "--continue-on-failure",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SCHEMATHESIS_SECONDS_MAX,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    found = re.search(r"Tested: (\d+)", outcome.stdout)
    assert found is not None
    assert int(found[1]) >= 6
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in outcome.stdout


def test_the_contract_can_be_kept(app: ServedApp) -> None:
    """The contract has a tag: who has it gets 304, who has another gets it anew."""
    address = f"{app.api}/openapi.json"
    tag = requests.get(address, timeout=HTTP_SECONDS_MAX).headers["ETag"]
    known = requests.get(address, headers={"If-None-Match": tag}, timeout=HTTP_SECONDS_MAX)
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)
    assert known.headers["Cache-Control"].startswith("public")
    assert requests.get(address, headers={"If-None-Match": '"old"'}, timeout=HTTP_SECONDS_MAX).status_code == 200


def test_the_contract_has_every_function_and_no_other(contract: dict[str, Any]) -> None:
    """Names, methods and routes in the contract are those of the app's HTTP functions."""
    served = set()
    for function in app_functions():
        trigger = function.get_dict_repr()["bindings"][0]
        if trigger["type"] == "httpTrigger":
            served |= {
                (function.get_function_name(), str(method).lower(), trigger["route"]) for method in trigger["methods"]
            }
    stated = {
        (operation["operationId"], method, path.lstrip("/"))
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    }
    assert stated == served


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.function)
def test_an_undeclared_method_finds_no_function(app: ServedApp, operation: Any) -> None:
    """A method that the contract does not have is refused before any function runs: the host routes by method."""
    address = app.api + operation.path.replace("{orderId}", "o-1")
    for method in METHODS:
        if method.lower() != operation.method:
            headers = {"x-functions-key": FUNCTION_KEY}
            assert requests.request(method, address, headers=headers, timeout=HTTP_SECONDS_MAX).status_code == 404


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.function)
def test_only_the_contract_itself_is_for_everybody(app: ServedApp, operation: Any) -> None:
    """Without a key every other function answers 401; with it, in the address too, it is reached."""
    address = app.api + operation.path.replace("{orderId}", "o-1")
    anonymous = requests.request(operation.method, address, timeout=HTTP_SECONDS_MAX)
    assert (anonymous.status_code == 401) is not operation.anonymous
    by_address = requests.request(operation.method, f"{address}?code={FUNCTION_KEY}", timeout=HTTP_SECONDS_MAX)
    assert by_address.status_code in (200, 400, 404)


def test_every_example_is_valid(contract: dict[str, Any]) -> None:
    """What the contract shows as an example satisfies the schema beside it."""
    examples = list(_examples(contract, contract))
    assert len(examples) > 10
    for schema, example in examples:
        jsonschema_rs.validator_for({**schema, "components": contract["components"]}).validate(example)


def test_every_problem_is_in_the_contract() -> None:
    """Each kind of problem that either side can answer is stated for some operation."""
    stated = {problem for operation in OPERATIONS for problem in operation.problems}
    known = {
        each
        for side in (commands, queries)
        for each in vars(side).values()
        if isinstance(each, CommandProblem | QueryProblem)
    }
    assert stated == known


def test_the_contract_is_made_from_the_models_each_time_alike() -> None:
    """Building it twice gives the same document, so that its tag changes with the contract only."""
    assert build() == build()


def _examples(node: Any, root: dict[str, Any]) -> Any:
    if isinstance(node, list):
        for each in node:
            yield from _examples(each, root)
    elif isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
        for each in node.values():
            yield from _examples(each, root)


def test_the_page_to_click_through_says_what_is_answered(app: ServedApp) -> None:
    """Every request of docs/api.http, in turn, gets the status in its title, and all functions are among them."""
    variables, steps = read_http_file(ROOT / "docs" / "api.http")
    session = Session({**variables, "host": app.api, "order": "clicked"})
    for step in steps:
        with_key = step.with_header(f"x-functions-key: {FUNCTION_KEY}")
        assert session.send(with_key).status_code == step.status, step.title
    stated = {f"{{{{host}}}}{operation.path}" for operation in OPERATIONS}
    clicked = {re.sub(r"/orders/[^/?]+", "/orders/{orderId}", step.address.partition("?")[0]) for step in steps}
    assert clicked == stated
