"""The greeting, called as a client would."""

from emulators.functions_host.testing import FunctionsTestHost
from function_app import app


def test_a_name_in_the_query_or_the_body_is_greeted() -> None:
    """Both ways give the same answer, and the run has logged whom it greeted."""
    with FunctionsTestHost(app) as host:
        assert host.request("GET", "/api/greet", params={"name": "Ada"}).text == "Hello, Ada."
        assert host.request("POST", "/api/greet", json={"name": "Grace"}).text == "Hello, Grace."
        assert [log.text for run in host.invocations for log in run.logs] == ["Greeting Ada", "Greeting Grace"]


def test_nobody_is_not_greeted() -> None:
    """Without a name, or with a body that is not JSON, the answer is 400."""
    with FunctionsTestHost(app) as host:
        assert host.request("GET", "/api/greet").status_code == 400
        assert host.request("POST", "/api/greet", data="Ada").status_code == 400
