"""This process's telemetry, from settings: made at its first use, one for both sides. The only reader of the
environment here."""

from __future__ import annotations

import os
from functools import cache

from order_telemetry.logs import EventLog, as_json, as_text
from order_telemetry.port import SILENT, Telemetry
from order_telemetry.settings import TelemetrySettings


def open_telemetry(settings: TelemetrySettings) -> Telemetry:
    """Telemetry for `settings`, which also say how this process writes its log lines."""
    EventLog.render = staticmethod(as_json if settings.log_format == "json" else as_text)
    if settings.exporter == "none":
        return SILENT
    from order_telemetry.exporters import open_recorder  # half a second and 20 MB that most processes save

    return open_recorder(settings)


@cache
def process_telemetry() -> Telemetry:
    """The telemetry of this process. Raises TelemetrySettingsWrong."""
    return open_telemetry(TelemetrySettings.read(os.environ))
