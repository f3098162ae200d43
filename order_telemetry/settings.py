"""The app settings of telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

INTERVAL_SECONDS = 10.0
"""How long spans and metrics wait to be exported together, and what a killed worker may lose."""
EXPORT_SECONDS_MAX = 3.0
"""How long one export may take, repetitions included: a worker that ends waits for two of them at most."""


class TelemetrySettingsWrong(Exception):
    """App settings of telemetry are missing or wrong. The text names them."""


class TelemetrySettings(BaseModel):
    """What leaves the process, and how."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    exporter: Literal["none", "console", "otlp", "azuremonitor"] = Field("none", alias="OrdersTelemetry")
    interval_seconds: float = Field(INTERVAL_SECONDS, alias="OrdersTelemetryIntervalSeconds", gt=0, le=300)
    log_format: Literal["text", "json"] = Field("text", alias="OrdersLogFormat")
    service_name: str = Field("orders", alias="OTEL_SERVICE_NAME")
    otlp_export_seconds_max: float = Field(EXPORT_SECONDS_MAX, alias="OTEL_EXPORTER_OTLP_TIMEOUT", gt=0, le=60)
    azure_monitor_connection: str | None = Field(None, alias="APPLICATIONINSIGHTS_CONNECTION_STRING")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> TelemetrySettings:
        """The settings in `environment`. Raises TelemetrySettingsWrong naming each that is missing or wrong."""
        given = {"OTEL_SERVICE_NAME": environment.get("WEBSITE_SITE_NAME", "")} | dict(environment)
        try:
            settings = cls.model_validate({name: text for name, text in given.items() if text})
        except ValidationError as failure:
            faults = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in failure.errors(include_input=False))
            raise TelemetrySettingsWrong(f"App settings: {faults}.") from failure
        if settings.exporter == "azuremonitor" and not settings.azure_monitor_connection:
            raise TelemetrySettingsWrong("App settings: azuremonitor needs APPLICATIONINSIGHTS_CONNECTION_STRING.")
        return settings
