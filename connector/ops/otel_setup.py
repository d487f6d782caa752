"""Where spans go: what OpenTelemetry's standard variables ask for, if its packages are installed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from connector.errors import Misconfigured
from connector.ops.stream import write
from connector.tracing import traced_by

MISSING = "OTEL_* asks for traces, and the packages for them are not there: pip install mplus-connector[tracing]"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTERS = ("otlp", "console")
SPANS = "connector.ops.otel"


def exporter_asked(environment: Mapping[str, str]) -> str:
    """The exporter that OTEL_* asks for, or empty. Raises Misconfigured for one that is not there."""
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or named == "none":
        return ""
    if named and named not in EXPORTERS:
        raise Misconfigured(f"OTEL_TRACES_EXPORTER: {named!r} is not one of {', '.join(EXPORTERS)}, none")
    return named or ("otlp" if any(environment.get(name) for name in ENDPOINTS) else "")


@contextmanager
def tracing(environment: Mapping[str, str]) -> Iterator[None]:
    """While inside, spans go where OTEL_* says; nowhere where it says nothing. Raises Misconfigured."""
    asked = exporter_asked(environment)
    spans = _spans() if asked else None
    if spans is None:
        yield
        return
    with spans.exported(asked, environment) as tracer, traced_by(tracer):
        yield


def _spans() -> Any:
    """The module that needs the packages; None, and a line, where they are missing."""
    try:
        return import_module(SPANS)
    except ImportError:
        write("warning", MISSING)
        return None
