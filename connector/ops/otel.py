"""Spans by OpenTelemetry's SDK; loaded by ops.tracing alone, for its packages need not be there."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connector.ops.stream import log_stream, write
from connector.ops.throttle import EVERY_S
from connector.tracing import Value, written

SERVICE = "mplus-connector"
PATIENCE_S = 3.0
"""Seconds that the collector is given for a batch, unless OTEL_EXPORTER_OTLP_TIMEOUT says: a stop waits for the last."""


@contextmanager
def exported(asked: str, environment: Mapping[str, str]) -> Iterator["Spans"]:
    """Spans that go to `otlp` or to the `console`, as OTEL_* says; the last ones at the end."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # several lines for each try, and tracebacks: see Delivery
    named = "OTEL_SERVICE_NAME" in environment or "service.name" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Delivery(_exporter(asked, environment), time.monotonic)))
    try:
        yield Spans(provider)
    finally:
        provider.shutdown()


def _exporter(asked: str, environment: Mapping[str, str]) -> SpanExporter:
    if asked == "console":
        return ConsoleSpanExporter(out=log_stream())  # type: ignore[arg-type]  # a file as far as it is one
    timed = any(name in environment for name in ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"))
    return OTLPSpanExporter(timeout=None if timed else PATIENCE_S)


class Delivery(SpanExporter):
    """Passes spans on; says once a minute how many were lost. Called by the processor's own thread."""

    def __init__(self, exporter: SpanExporter, now: Callable[[], float]) -> None:
        self._exporter = exporter
        self._now = now
        self._lost = 0
        self._told = -EVERY_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        if (result := self._tried(spans)) is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if self._now() - self._told >= EVERY_S:
                write(
                    "warning",
                    "spans lost",
                    spans=self._lost,
                    reason="the collector at OTEL_EXPORTER_OTLP_ENDPOINT does not take them",
                )
                self._lost, self._told = 0, self._now()
        return result

    def _tried(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            return self._exporter.export(spans)
        except Exception:  # the processor would log it, and nobody would count them
            return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._exporter.shutdown()


class Spans:
    """See connector.tracing.Tracer."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(SERVICE)
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, kind: str, attributes: Mapping[str, Value]) -> AbstractContextManager[None]:
        """See Tracer."""
        return self._within(name, kind, attributes, None)

    def root(self, name: str, parent: Mapping[str, str], attributes: Mapping[str, Value]) -> AbstractContextManager[None]:
        """See Tracer."""
        return self._within(name, "consumer", attributes, self._propagator.extract(parent, Context()))

    @contextmanager
    def _within(self, name: str, kind: str, attributes: Mapping[str, Value], context: Context | None) -> Iterator[None]:
        """An error is named by its kind alone: its text, and what the SDK would record of it, could hold anything."""
        with self._tracer.start_as_current_span(
            name,
            context,
            kind=trace.SpanKind[kind.upper()],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(trace.StatusCode.ERROR)
                raise

    def past(self, name: str, seconds: float, attributes: Mapping[str, Value]) -> None:
        """See Tracer."""
        since = time.time_ns() - int(seconds * 1e9)
        self._tracer.start_span(name, start_time=since, attributes=attributes).end()

    def note(self, attributes: Mapping[str, Value]) -> None:
        """See Tracer."""
        trace.get_current_span().set_attributes(attributes)

    def current(self) -> str:
        """See Tracer."""
        return written(trace.get_current_span().get_span_context())
