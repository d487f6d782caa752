"""Traces in the W3C's way: the context of a command travels on, and where OpenTelemetry is set up, spans tell what took how long.

Without it nothing is loaded and nothing is told; a command's `traceparent` is still passed on. No span holds a URL, a body or an
error's text: only names, numbers and kinds of errors.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

Value = str | int | float | bool
Headers = Sequence[tuple[str, bytes | None]]
Carried = Sequence[tuple[str, bytes]]

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
VALID = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
STATE_CHARS_MAX = 512

_TRACER: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)
_PARENT: ContextVar[Carried] = ContextVar("parent", default=())


class Tracer(Protocol):
    """Makes spans; see ops.tracing."""

    def span(self, name: str, kind: str, attributes: Mapping[str, Value]) -> AbstractContextManager[None]:
        """A span while inside, under the one around it. `kind`: internal, client, consumer."""

    def root(self, name: str, parent: Mapping[str, str], attributes: Mapping[str, Value]) -> AbstractContextManager[None]:
        """A span that continues a trace of another program."""

    def past(self, name: str, seconds: float, attributes: Mapping[str, Value]) -> None:
        """A span that took so long and ends now."""

    def note(self, attributes: Mapping[str, Value]) -> None:
        """More about the span around us."""

    def current(self) -> str:
        """The `traceparent` of the span around us, or empty."""


@contextmanager
def traced_by(tracer: Tracer | None) -> Iterator[None]:
    """Spans go there from now on, in all tasks that are started inside."""
    token = _TRACER.set(tracer)
    try:
        yield
    finally:
        _TRACER.reset(token)


def carried(headers: Headers) -> Carried:
    """Headers of a record that carry its trace, where they are valid: as they came."""
    found = dict(headers)
    parent, state = found.get(TRACEPARENT) or b"", found.get(TRACESTATE) or b""
    if not VALID.fullmatch(parent):
        return ()
    return ((TRACEPARENT, parent), *([(TRACESTATE, state)] if 0 < len(state) <= STATE_CHARS_MAX else []))


@contextmanager
def continued(name: str, headers: Headers, **attributes: Value) -> Iterator[None]:
    """While inside, we work on a record with these headers."""
    found, tracer = carried(headers), _TRACER.get()
    token = _PARENT.set(found)
    parent = {name: value.decode("ascii", "replace") for name, value in found}
    try:
        with nullcontext() if tracer is None else tracer.root(name, parent, _full(attributes)):
            yield
    finally:
        _PARENT.reset(token)


def span(name: str, kind: str = "internal", **attributes: Value) -> AbstractContextManager[None]:
    """A span while inside."""
    tracer = _TRACER.get()
    return nullcontext() if tracer is None else tracer.span(name, kind, _full(attributes))


def call(operation: str, administration: str) -> AbstractContextManager[None]:
    """A call of the POS, as a span; one that serves nothing in particular has none."""
    tracer = _TRACER.get()
    if tracer is None or not tracer.current():
        return nullcontext()
    return tracer.span(operation, "client", _full({"administration": administration, "operation": operation}))


def past(name: str, seconds: float, **attributes: Value) -> None:
    """What took so long and ended just now, within the span around us."""
    tracer = _TRACER.get()
    if tracer is not None and tracer.current():
        tracer.past(name, seconds, _full(attributes))


def note(**attributes: Value) -> None:
    """More about the span around us."""
    tracer = _TRACER.get()
    if tracer is not None:
        tracer.note(_full(attributes))


def request_id() -> str:
    """What a request says of the trace it belongs to: the span's `traceparent`, else the command's, else nothing."""
    tracer = _TRACER.get()
    told = tracer.current() if tracer is not None else ""
    return told or next((value.decode() for name, value in _PARENT.get() if name == TRACEPARENT), "")


def outgoing() -> Carried:
    """Headers of a record that is written within a trace: the connector's, or of the program that uses the client."""
    if (told := request_id()) or (told := _foreign()):
        return ((TRACEPARENT, told.encode()),)
    return ()


def _foreign() -> str:
    """The `traceparent` of a program that has loaded OpenTelemetry itself."""
    api: Any = sys.modules.get("opentelemetry.trace")
    return "" if api is None else written(api.get_current_span().get_span_context())


def written(context: Any) -> str:
    """OpenTelemetry's span context as a `traceparent`; empty where it is none."""
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _full(attributes: Mapping[str, Value]) -> Mapping[str, Value]:
    return {f"mplus.{name}": value for name, value in attributes.items()}
