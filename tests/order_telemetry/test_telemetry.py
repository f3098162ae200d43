"""Spans, metrics and log lines as they leave a served app: one trace over the asynchronous hop, whoever published."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulators.base.serving import Bind
from emulators.base.tls import certificate_file, server_context
from emulators.cosmos.account import WELL_KNOWN_KEY
from emulators.eventgrid.auth import DEVELOPMENT_KEY
from order_telemetry import signals
from order_telemetry.invocations import parent_of
from order_telemetry.logs import as_json, as_text
from order_telemetry.port import SILENT
from order_telemetry.settings import TelemetrySettings, TelemetrySettingsWrong
from order_telemetry.wiring import open_telemetry
from tests.identity import identity_endpoint
from tests.order_telemetry.receivers import ReceivedSpan, Receiver, receiver
from tests.served_app import FUNCTION_KEY, ServedApp, served_app

ROOT = Path(__file__).parents[2]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
HOST_RECORDED = f"00-{'1' * 32}-{'2' * 16}-01"
HOST_UNRECORDED = f"00-{'1' * 32}-{'2' * 16}-00"


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    """An OTLP collector."""
    with receiver() as receiving:
        yield receiving


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, collector: Receiver) -> Iterator[ServedApp]:
    """The served app, telling the collector everything at short intervals, and writing its log in JSON."""
    settings = {
        "OrdersTelemetry": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OrdersTelemetryIntervalSeconds": "0.2",
        "OrdersLogFormat": "json",
        "OTEL_SERVICE_NAME": "orders-under-test",
    }
    with served_app(tmp_path_factory.mktemp("app"), **settings) as running:
        yield running


def follow(collector: Receiver, trace_id: str, *names: str) -> dict[str, list[ReceivedSpan]]:
    """The spans of a trace once it has all of `names`."""
    collector.until(lambda: {*names} <= {*collector.trace(trace_id)})
    return collector.trace(trace_id)


def only(spans: list[ReceivedSpan]) -> ReceivedSpan:
    """The one span of its name."""
    (span,) = spans
    return span


def test_one_trace_leads_from_the_command_to_the_projection(app: ServedApp, collector: Receiver) -> None:
    """The caller's trace holds the command, each call it made, the event's way out, and the projection it led to."""
    trace_id = "1" * 31 + "a"
    answer = app.command("direct", "created", traceparent=f"00-{trace_id}-{CALLER}-01")
    assert answer.headers["X-Event-Delivery"] == "sent"
    spans = follow(collector, trace_id, "UpdateOrderStatus", signals.PROJECT_SPAN)
    request, command = only(spans["UpdateOrderStatus"]), only(spans[signals.COMMAND_SPAN])
    published, projected = only(spans[signals.PUBLISH_SPAN]), only(spans[signals.PROJECT_SPAN])
    assert command.parent_id == request.span_id
    assert published.parent_id == projected.parent_id == command.span_id
    assert only(spans["cosmos patch"]).parent_id == request.span_id
    assert only(spans["eventgrid publish"]).parent_id == request.span_id
    assert {batch.parent_id for batch in spans["cosmos batch"]} == {command.span_id, projected.span_id}
    ours = {"UpdateOrderStatus", signals.COMMAND_SPAN, signals.PUBLISH_SPAN, signals.PROJECT_SPAN}
    assert {name for name in spans if not name.startswith(("cosmos ", "eventgrid "))} == ours
    assert request.attributes["http.response.status_code"] == 201
    assert projected.attributes["orders.result"] == "applied"
    assert request.service == "orders-under-test"


def test_an_event_that_the_relay_published_stays_in_its_commands_trace(app: ServedApp, collector: Receiver) -> None:
    """The relay's publishing and the projection belong to the trace of the command, not to the relay's."""
    trace_id = "1" * 31 + "b"
    app.fault(app.eventgrid, {"status": 503}, {"operation": "*publish*"}, times=1)
    answer = app.command("relayed", "created", traceparent=f"00-{trace_id}-{CALLER}-01")
    assert answer.headers["X-Event-Delivery"] == "deferred"
    app.relay()
    spans = follow(collector, trace_id, signals.PROJECT_SPAN)
    command = only(spans[signals.COMMAND_SPAN])
    assert [span.attributes["orders.by"] for span in spans[signals.PUBLISH_SPAN]] == ["request", "relay"]
    assert {span.parent_id for span in spans[signals.PUBLISH_SPAN]} == {command.span_id}
    assert only(spans[signals.PROJECT_SPAN]).parent_id == command.span_id
    collector.until(lambda: any(span.name == signals.RELAY_SPAN for span in collector.spans))


def test_a_caller_that_does_not_record_is_followed(app: ServedApp, collector: Receiver) -> None:
    """A trace that its caller does not record is not recorded here either; the next one is."""
    unrecorded, recorded = "1" * 31 + "c", "1" * 31 + "d"
    app.command("unrecorded", "created", traceparent=f"00-{unrecorded}-{CALLER}-00")
    app.command("recorded", "created", traceparent=f"00-{recorded}-{CALLER}-01")
    follow(collector, recorded, signals.PROJECT_SPAN)
    assert collector.trace(unrecorded) == {}


def test_every_metric_arrives_with_its_unit_and_attributes(app: ServedApp, collector: Receiver) -> None:
    """After commands, a conflict, a deferred event, a relay, reads and a poison event each instrument has told."""
    app.command("metered", "created")
    app.get("orders/metered", minVersion="1", waitMs="5000")
    app.get("orders/metered", minVersion="9")
    app.fault(app.eventgrid, {"status": 503}, {"operation": "*publish*"}, times=1)
    app.command("metered", "approved")
    app.relay()
    app.post_event({"id": "poison", "eventType": "Unheard", "subject": "s", "dataVersion": "1.0", "data": {}})
    app.command("metered", "created")  # begins an order that exists: lost to whoever made it
    named = {metric.name: metric for metric in signals.METRICS}

    def results() -> set[str]:
        points = collector.metrics["orders.commands"].sum.data_points
        return {point.attributes[0].value.string_value for point in points}

    collector.until(lambda: {*named} <= {*collector.metrics} and "transition-not-allowed" in results())
    assert {"created", "updated"} <= results()
    for name, metric in named.items():
        arrived = collector.metrics[name]
        assert (arrived.unit, arrived.description) == (metric.unit, metric.meaning)
        points = getattr(arrived, {"counter": "sum"}.get(metric.kind, metric.kind)).data_points
        assert {attribute.key for point in points for attribute in point.attributes} == {*metric.attributes}


def test_log_lines_bear_trace_order_and_command_and_no_secret(app: ServedApp) -> None:
    """A command's line is one JSON object with the identifiers to look for it by; keys and bodies are in no line."""
    trace_id = "1" * 31 + "e"
    app.command("logged", "created", Idempotency_Key="my key", traceparent=f"00-{trace_id}-{CALLER}-01")
    line = app.host.until('"order": "logged"')
    said = json.loads(line[line.index("{") :])
    assert said == {
        "event": "command",
        "order": "logged",
        "command": "my key",
        "result": "created",
        "version": 1,
        "trace": trace_id,
    }
    everything = "\n".join(app.host.lines)
    assert not [secret for secret in (WELL_KNOWN_KEY, DEVELOPMENT_KEY, FUNCTION_KEY) if secret in everything]


def test_what_is_not_sent_yet_leaves_when_the_worker_ends(tmp_path: Path) -> None:
    """Spans and metrics that wait for a long interval are sent when the worker stops."""
    with receiver() as late:
        settings = {
            "OrdersTelemetry": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": late.url,
            "OrdersTelemetryIntervalSeconds": "300",
        }
        with served_app(tmp_path, **settings) as app:
            assert app.command("o-1", "created", traceparent=SAMPLED).status_code == 201
            assert late.spans == []
        assert "UpdateOrderStatus" in late.trace(TRACE)
        assert "orders.commands" in late.metrics


def test_a_collector_that_is_away_is_nobodys_problem(tmp_path: Path) -> None:
    """Without anybody to take the telemetry commands are answered, events projected, and the worker ends in peace."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings = {
            "OrdersTelemetry": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{unused.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
            "OrdersTelemetryIntervalSeconds": "0.1",
        }
        with served_app(tmp_path, **settings) as app:
            assert app.command("o-1", "created").status_code == 201
            assert app.get("orders/o-1", minVersion="1", waitMs="9000").headers["X-Read-Source"] == "read"
            assert app.host.end() == 0


def test_azure_monitor_gets_the_same_trace_from_an_identity(tmp_path: Path) -> None:
    """Its ingestion gets the spans as requests and dependencies of one operation, each request with a token, as infra/
    demands of it."""
    authority = tmp_path / "authority"
    with (
        receiver(Bind(tls=server_context(authority))) as ingestion,  # tokens are sent over https only
        identity_endpoint() as identity,
    ):
        key = "00000000-1111-2222-3333-444444444444"
        settings = {
            "OrdersTelemetry": "azuremonitor",
            "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={key};IngestionEndpoint={ingestion.url}/",
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=the-apps-identity;Authorization=AAD",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "OrdersTelemetryIntervalSeconds": "0.2",
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": "secret",
            "REQUESTS_CA_BUNDLE": str(certificate_file(authority)),
        }
        with served_app(tmp_path, **settings) as app:
            app.command("o-1", "created", traceparent=SAMPLED)

            def operations() -> dict[str, str]:
                return {
                    envelope["data"]["baseData"]["name"]: envelope["tags"]["ai.operation.id"]
                    for envelope in ingestion.envelopes
                    if envelope["data"]["baseType"] in ("RequestData", "RemoteDependencyData")
                }

            ingestion.until(lambda: {"UpdateOrderStatus", signals.PROJECT_SPAN} <= {*operations()})
            assert {*operations().values()} == {TRACE}
            assert {envelope["iKey"] for envelope in ingestion.envelopes} == {key}
            assert {each.partition(" ")[0] for each in ingestion.authorizations} == {"Bearer"}


def test_without_an_exporter_nothing_is_imported() -> None:
    """The default costs no import of OpenTelemetry, when the app loads or when it first asks for its telemetry."""
    program = (
        "import sys, function_app; from order_telemetry.wiring import process_telemetry; process_telemetry();"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'azure.monitor', 'google'))])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert outcome.stdout.strip() == "[]"
    assert open_telemetry(TelemetrySettings.read({})) is SILENT


def test_the_console_exporter_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """Spans and metrics can be read on the terminal."""
    telemetry = open_telemetry(TelemetrySettings.read({"OrdersTelemetry": "console"}))
    with telemetry.span("some work"):
        telemetry.add(signals.COMMANDS, 1, {"result": "created"})
    telemetry.close()
    printed = capfd.readouterr().out
    assert '"name": "some work"' in printed
    assert '"name": "orders.commands"' in printed


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OrdersTelemetry": "zipkin"}, "OrdersTelemetry"),
        ({"OrdersLogFormat": "xml"}, "OrdersLogFormat"),
        ({"OrdersTelemetryIntervalSeconds": "0"}, "OrdersTelemetryIntervalSeconds"),
        ({"OrdersTelemetry": "azuremonitor"}, "APPLICATIONINSIGHTS_CONNECTION_STRING"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    """A setting that is wrong or missing is refused by its name."""
    with pytest.raises(TelemetrySettingsWrong, match=named):
        TelemetrySettings.read(environment)


@pytest.mark.parametrize(
    ("caller", "host", "parent"),
    [
        (None, None, None),
        (SAMPLED, None, SAMPLED),
        (None, HOST_RECORDED, HOST_RECORDED),
        (SAMPLED, HOST_RECORDED, HOST_RECORDED),
        (SAMPLED, HOST_UNRECORDED, SAMPLED),
        (UNSAMPLED, HOST_UNRECORDED, UNSAMPLED),
        (None, HOST_UNRECORDED, None),
        ("nonsense", HOST_UNRECORDED, None),
        (f"00-{'0' * 32}-{CALLER}-01", None, None),
    ],
)
def test_whose_child_an_invocation_is(caller: str | None, host: str | None, parent: str | None) -> None:
    """The host's span if it is recorded, else the caller's, else nobody's."""
    assert parent_of(caller, host) == parent


def test_a_text_line_stays_one_line() -> None:
    """Values with spaces, quotes or line ends are quoted in text and in JSON, so nobody can forge a line."""
    fields: dict[str, Any] = {"order": "o-1", "command": 'a "b"\nrelay found=1'}
    assert as_text("command", fields) == 'command order=o-1 command="a \\"b\\"\\nrelay found=1"'
    assert json.loads(as_json("command", fields)) == {"event": "command", **fields}
    assert "\n" not in as_text("command", fields) + as_json("command", fields)


def test_the_page_lists_every_signal() -> None:
    """docs/OBSERVABILITY.md has a row for each metric, made of what the code says, and names each span."""
    page = (ROOT / "docs" / "OBSERVABILITY.md").read_text(encoding="utf-8")
    for metric in signals.METRICS:
        attributes = ", ".join(f"`{each}`" for each in metric.attributes)
        assert f"| `{metric.name}` | {metric.kind} | `{metric.unit}` | {metric.meaning} | {attributes} |" in page
    for span in (signals.COMMAND_SPAN, signals.PUBLISH_SPAN, signals.RELAY_SPAN, signals.PROJECT_SPAN):
        assert f"`{span}`" in page
