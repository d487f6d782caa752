"""A command's trace goes on in its result and in what the POS is asked; spans tell what took how long, and no secret."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connector.client.order_commands import OrderCommands
from connector.errors import Misconfigured
from connector.mplus.transport import headers as request_headers
from connector.ops import otel_setup as tracing
from connector.ops.otel import Delivery, Spans, exported
from connector.sandbox import Sandbox, SandboxOptions
from connector.tracing import Headers, carried, continued, outgoing, request_id, span, traced_by
from tests.support.kafka.topics import read_all
from tests.support.ops_events import lines
from tests.support.sink.commanding import QUICK, Commands, commanding, create, deliver
from tests.support.source.polling import configuration, eventually, headers, level, working

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SECRET = "s3cret&/+ of the till"
Told = InMemorySpanExporter


@contextmanager
def recording() -> Iterator[Told]:
    """Spans that end while inside."""
    told = Told()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(told))
    with traced_by(Spans(provider)):
        yield told
    provider.shutdown()


@asynccontextmanager
async def asked(pos: Sandbox) -> AsyncIterator[list[tuple[str, str]]]:
    """Operation and X-Request-Id of each request to the POS while inside."""
    found: list[tuple[str, str]] = []
    before = request_headers

    def seen(operation: str) -> dict[str, str]:
        sent = before(operation)
        found.append((operation, sent.get("X-Request-Id", "")))
        return sent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connector.mplus.transport.headers", seen)
        yield found


async def result_headers(commands: Commands, count: int) -> list[dict[str, str]]:
    """Of all results, as soon as there are so many."""
    await commands.results(count)
    records = await read_all(commands.bootstrap, f"{commands.prefix}.order-command-results")
    return [headers(record.headers) for record in records]


def named(told: Told, name: str) -> list[ReadableSpan]:
    """The spans of this name, in the order in which they ended."""
    return [span for span in told.get_finished_spans() if span.name == name]


def shown(told: Told) -> str:
    """All that is told of all spans."""
    return "\n".join(span.to_json() for span in told.get_finished_spans())


async def test_without_tracing_a_trace_still_goes_on(bootstrap: str, prefix: str) -> None:
    """The command's headers stand in its result as they came, and its `traceparent` in each request that serves it."""
    async with Sandbox(SandboxOptions(items=2)) as pos, commanding(bootstrap, prefix, pos) as commands, asked(pos) as requests:
        await commands.send(create("c-1", "web-1"), traceparent=PARENT.encode(), tracestate=b"shop=1")
        (told,) = await result_headers(commands, 1)

    assert {"content-type": "application/json", "traceparent": PARENT, "tracestate": "shop=1"} == told
    assert {("createOrderV3", PARENT)} <= set(requests)
    assert {PARENT} == {sent for operation, sent in requests if "Order" in operation}


@pytest.mark.parametrize("given", [b"", b"nonsense", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"\xff" * 55])
def test_what_is_no_traceparent_is_not_passed_on(given: bytes) -> None:
    """It would go into an HTTP header."""
    assert () == carried([("traceparent", given), ("tracestate", b"shop=1")])


async def test_a_refused_message_keeps_its_trace(bootstrap: str, prefix: str) -> None:
    """In the dead letter and in the result."""
    async with Sandbox(SandboxOptions(items=2)) as pos, commanding(bootstrap, prefix, pos) as commands:
        await commands.send((b"web-1", b'{"commandId": "c-1"}'), traceparent=PARENT.encode())
        (told,) = await result_headers(commands, 1)
        ((_, letter),) = await commands.letters()

    assert (PARENT, PARENT) == (told["traceparent"], letter["traceparent"])


async def test_a_command_is_a_span_and_its_calls_are_children(bootstrap: str, prefix: str) -> None:
    """In the producer's trace; a request says which span it is. The result carries the producer's own context."""
    async with Sandbox(SandboxOptions(items=2)) as pos:
        with recording() as told:
            async with commanding(bootstrap, prefix, pos) as commands, asked(pos) as requests:
                await commands.send(create("c-1", "web-1"), traceparent=PARENT.encode())
                (result,) = await result_headers(commands, 1)
                await eventually(lambda: named(told, "createOrder"))

    (command,), (call,) = named(told, "createOrder"), named(told, "createOrderV3")
    assert PARENT == result["traceparent"]
    assert (TRACE, SPAN) == (f"{command.context.trace_id:032x}", f"{command.parent.span_id:016x}" if command.parent else "")
    assert (
        (command.context.trace_id, command.context.span_id) == (call.parent.trace_id, call.parent.span_id) if call.parent else ()
    )
    assert [("createOrderV3", f"00-{TRACE}-{call.context.span_id:016x}-01")] == requests[:1]
    attributes = dict(command.attributes or {})
    assert ("c-1", "succeeded", "CREATE-ORDER-RESULT-OK", 1) == tuple(
        attributes[f"mplus.{name}"] for name in ("command_id", "outcome", "reason", "attempts")
    )


async def test_a_page_is_a_span_with_its_call_its_decoding_and_its_transaction(bootstrap: str, prefix: str) -> None:
    """The head that is asked for every interval is none: it serves no page."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        with recording() as told:
            async with working(configuration(bootstrap, prefix, pos, entities=("order",))) as worker:
                await level(worker, pos, ("order",))
                await eventually(lambda: named(told, "transaction"))

    names = {span.context.span_id: span.name for span in told.get_finished_spans()}
    parents = {span.name: names.get(span.parent.span_id if span.parent else 0) for span in told.get_finished_spans()}
    assert {"page": None, "getOrders": "page", "decode": "getOrders", "transaction": "page"} == parents


async def test_no_span_holds_the_secret(bootstrap: str, prefix: str) -> None:
    """Nor the ident, a URL or an error's text; also where calls fail."""
    async with Sandbox(SandboxOptions(items=2, ident="our-ident", secret=SECRET)) as pos:
        pos.faults.switch("server_fault", count=2, operations=["getOrders", "getOrder", "createOrderV3"])
        with recording() as told:
            config = configuration(bootstrap, prefix, pos, entities=("order",), **QUICK)
            async with working(config, roles=("source", "commands")) as worker:
                commands = Commands(bootstrap, prefix, pos)
                await commands.run(create("c-1", "web-1"), deliver("c-2", "web-9"))
                await level(worker, pos, ("order",))
                await eventually(lambda: named(told, "deliverOrder"))
    text = shown(told)

    assert "error.type" in text
    for hidden in (SECRET, "s3cret", "our-ident", "http://", "exception"):
        assert hidden not in text


async def test_a_producer_that_traces_has_its_context_sent(bootstrap: str, prefix: str) -> None:
    """Without being asked to: the span around `send` is the parent of the command."""
    async with Sandbox(SandboxOptions(items=2)) as pos, commanding(bootstrap, prefix, pos) as commands:
        provider = TracerProvider(shutdown_on_exit=False)
        async with OrderCommands(bootstrap, prefix) as client:
            with provider.get_tracer("webshop").start_as_current_span("checkout") as checkout:
                await asyncio.wait_for(client.send(create("c-1", "web-1")), 20)
            (told,) = await result_headers(commands, 1)

    context = checkout.get_span_context()
    assert f"00-{context.trace_id:032x}-{context.span_id:016x}" == told["traceparent"].rpartition("-")[0]


def test_outside_of_a_trace_nothing_is_said() -> None:
    """No header, no id, and nothing after a command has ended."""
    assert ((), "") == (outgoing(), request_id())
    sent: Headers = [("traceparent", PARENT.encode())]
    with continued("payOrder", sent), span("anything"):
        assert (PARENT, PARENT) == (request_id(), request_headers("payOrderV2")["X-Request-Id"])
    assert ("", None) == (request_id(), request_headers("payOrderV2").get("X-Request-Id"))


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ""),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "otlp"}, ""),
    ],
)
def test_the_standard_variables_decide(environment: dict[str, str], asked: str) -> None:
    """Off, unless they ask for it."""
    assert asked == tracing.exporter_asked(environment)


def test_an_exporter_that_is_not_there_is_named() -> None:
    """In one line, with those that are."""
    with pytest.raises(Misconfigured, match="OTEL_TRACES_EXPORTER: 'zipkin' is not one of otlp, console, none"):
        tracing.exporter_asked({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_missing_packages_are_one_line_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs without tracing, and says what to install."""
    found: list[str] = []
    monkeypatch.setattr(tracing, "SPANS", "connector.ops.no_such_module")
    monkeypatch.setattr(tracing, "write", lambda level, text, **fields: found.append(f"{level}: {text}"))
    with tracing.tracing({"OTEL_TRACES_EXPORTER": "otlp"}):
        assert "" == request_id()

    assert [f"warning: {tracing.MISSING}"] == found
    assert "pip install mplus-connector[tracing]" in tracing.MISSING


def test_lost_spans_are_told_once_a_minute() -> None:
    """With how many they were; a collector that is down is not the connector's illness."""
    now = 0.0

    class Nowhere(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.FAILURE

    with recording() as told, span("page"):
        pass
    delivery = Delivery(Nowhere(), lambda: now)
    with lines() as found:
        for second in range(90):
            now = float(second)
            delivery.export(told.get_finished_spans())

    assert [1, 60] == [line["spans"] for line in found]


def test_spans_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    """With the service's name, or the one that OTEL_SERVICE_NAME gives."""
    with exported("console", {}) as spans, traced_by(spans), span("page", entity="order"):
        assert request_id()

    told = capsys.readouterr().err
    assert '"name": "page"' in told
    assert '"service.name": "mplus-connector"' in told
    assert '"mplus.entity": "order"' in told
