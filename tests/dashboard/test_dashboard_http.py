"""The dashboard's HTTP: what it serves, to whom, and what it says of an outage."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import ClientSession
from aiokafka import AIOKafkaProducer

from connector.dashboard.web import sse
from connector.dashboard.web.routes import PAGE
from connector.dashboard.web.security import HEADERS
from connector.local_kafka.start import Broker
from tests.support.kafka.topics import create_topic
from tests.support.views.viewing import configuration, served, status, writing

PATHS = ("", "api/state", "api/events", "api/journeys?order=web-1", *(f"page/{file.name}" for file in sorted(PAGE.iterdir())))
NOT_SERVED = ("page/index.html",)
Message = dict[str, Any]


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[ClientSession]:
    """An HTTP client of this page."""
    async with ClientSession(base_url=url) as client:
        yield client


async def messages(client: ClientSession) -> AsyncGenerator[Message, None]:
    """What a viewer gets."""
    async with client.get("api/events") as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield orjson.loads(line.removeprefix(b"data: "))


async def state(client: ClientSession, wanted: Callable[[Message], bool], within: float = 60) -> Message:
    """All parts, once they are so."""
    async with asyncio.timeout(within):
        while True:
            parts: Message = (await (await client.get("api/state")).json())["parts"]
            if wanted(parts):
                return parts
            await asyncio.sleep(0.1)


async def journey(client: ClientSession, order: str) -> tuple[int, list[str]]:
    """What asking for an order is answered: the status, and the keys of the journeys."""
    answer = await client.get(f"api/journeys?order={order}")
    return answer.status, [row["journey"]["key"] for row in (await answer.json()).get("found", [])]


async def test_every_answer_forbids_what_the_page_does_not_need(bootstrap: str, prefix: str) -> None:
    """Scripts and connections of others, framing, sniffing, referrers; and only GET is answered."""
    async with served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        for path in [path for path in PATHS if path not in NOT_SERVED]:
            async with client.get(path) as answer:
                assert 200 == answer.status, path
                assert HEADERS.items() <= dict(answer.headers).items(), path
                assert "Access-Control-Allow-Origin" not in answer.headers
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                assert 405 == (await client.request(method, path)).status, path


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("evil.example", 403), ("127.0.0.1.evil.example", 403), ("10.0.0.1", 403), ("", 403), ("user@localhost", 403)),
        *(("localhost:99", 200), ("[::1]:8081", 200), ("127.0.0.1", 200), ("LOCALHOST", 200), ("localhost.", 200)),
    ],
)
async def test_only_requests_to_this_machine_are_answered_where_only_it_is_listened_on(
    bootstrap: str, prefix: str, host: str, status: int
) -> None:
    """A page elsewhere that calls this address by its own name learns nothing; where others may ask, any name will do."""
    async with served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        assert status == (await client.get("api/state", headers={"Host": host})).status
    async with served(configuration(bootstrap, prefix, host="127.0.1.1")) as url, asking(url) as client:
        assert status == (await client.get("api/state", headers={"Host": host})).status
    async with served(configuration(bootstrap, prefix, host="0.0.0.0")) as url, asking(url) as client:
        assert 200 == (await client.get("api/state", headers={"Host": host})).status


async def test_a_viewer_gets_everything_once_and_then_only_what_changed(bootstrap: str, prefix: str) -> None:
    """With the server's clock in each message, and a heartbeat while nothing changes."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        await writer.status("order")
        await state(client, lambda parts: parts[f"row/{prefix}/order"]["state"] == "running")
        stream = messages(client)
        first = await anext(stream)
        await writer.status("invoice")
        later = await anext(stream)
        while "row" not in "".join(later["parts"]):
            assert (
                {} == later["parts"] or later["parts"].keys() <= {"kafka", "unreadable"} or "reading" in "".join(later["parts"])
            )
            later = await anext(stream)
        await stream.aclose()

    assert (True, False) == (first["full"], later["full"])
    assert {"about", f"row/{prefix}/stock", f"letters/{prefix}"} <= first["parts"].keys()
    assert f"row/{prefix}/invoice" in later["parts"]
    assert f"row/{prefix}/order" not in later["parts"]
    assert 0 <= later["now"] - first["now"] < 60


async def test_a_viewer_that_comes_back_gets_what_changed(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends after a while, so that who is there no more gives its place away; with another process it begins anew."""
    monkeypatch.setattr(sse, "STREAM_S", 1.0)
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        async with client.get("api/events") as answer:
            first = await answer.text()
        last = first.rpartition("id: ")[2].partition("\r")[0].partition("\n")[0]
        await writer.status("order")
        await state(client, lambda parts: parts[f"row/{prefix}/order"]["state"] == "running")
        for seen, full in ((last, False), (last.replace("-", "x-"), True), ("nonsense", True), (f"{last}9999", True)):
            async with client.get("api/events", headers={"Last-Event-ID": seen}) as answer:
                told: Message = orjson.loads((await answer.text()).partition("data: ")[2].partition("\r")[0].partition("\n")[0])
            assert full == told["full"], seen
            assert f"row/{prefix}/order" in told["parts"]
            assert full == ("about" in told["parts"])


async def test_too_many_viewers_are_told_so(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a way that a page can read; a place that is free again is given away."""
    monkeypatch.setattr(sse, "VIEWERS_MAX", 1)
    async with served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        stream = messages(client)
        await anext(stream)
        async with client.get("api/events") as answer:
            assert "event: busy" in (told := await answer.text())
            assert "1 viewers are here already" in told
        await stream.aclose()
        async with asyncio.timeout(30):
            while True:
                async with client.get("api/events") as answer:
                    if "event: busy" not in (await answer.content.readany()).decode():
                        break


async def test_a_viewer_that_reads_no_more_is_dropped(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its place is free again, and nobody is troubled with it."""
    monkeypatch.setattr(sse, "VIEWERS_MAX", 1)
    monkeypatch.setattr(sse, "WRITE_S", 2.0)
    monkeypatch.setattr(sse.Stream, "message", lambda *_: {"filler": "x" * 20_000_000})
    async with served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
        writer.write(f"GET /api/events HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
        begins = [await beginning(client)]
        async with asyncio.timeout(30):
            while "event: busy" in begins[-1]:
                begins.append(await beginning(client))
        writer.close()

    assert "event: busy" in begins[0]
    assert [] == caplog.records


async def beginning(client: ClientSession) -> str:
    """The first that a stream tells."""
    async with client.get("api/events") as answer:
        return (await answer.content.readany()).decode(errors="replace")


async def test_an_unchanged_journey_costs_nothing(bootstrap: str, prefix: str) -> None:
    """Its tag is where it lies: the same tag is answered without reading Kafka. An id must be given, and may not be huge."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        await writer.journey("web-1", "id-1", "created")
        await state(client, lambda parts: parts[f"orders/{prefix}"]["count"] == 1)
        answer = await client.get("api/journeys?order=id-1")
        again = await client.get("api/journeys?order=id-1", headers={"If-None-Match": answer.headers["ETag"]})
        wrong = [(await client.get(path)).status for path in ("api/journeys", f"api/journeys?order={'x' * 300}")]

        assert [(prefix, "created")] == [
            (row["administration"], row["journey"]["state"]) for row in (await answer.json())["found"]
        ]
        assert (304, [400, 400]) == (again.status, wrong)
        await writer.journey("web-1", "id-1", "paid")
        async with asyncio.timeout(30):
            while again.status == 304:
                again = await client.get("api/journeys?order=id-1", headers={"If-None-Match": answer.headers["ETag"]})
        assert "paid" == (await again.json())["found"][0]["journey"]["state"]


async def test_journeys_asked_for_at_once_are_each_ones_own(bootstrap: str, prefix: str) -> None:
    """In two administrations, from all partitions."""
    names, keys = [f"{prefix}-{which}" for which in "ab"], [f"web-{number}" for number in range(12)]
    async with AsyncExitStack() as stack:
        for name in names:
            await create_topic(bootstrap, f"{name}.order-journeys", partitions=3)
            writer = await stack.enter_async_context(writing(bootstrap, name, ()))
            for key in keys:
                await writer.journey(key, None, "created")
        client = await stack.enter_async_context(
            asking(await stack.enter_async_context(served(configuration(bootstrap, *names))))
        )
        await state(client, lambda parts: all(parts[f"orders/{name}"]["count"] == len(keys) for name in names))
        answers = await asyncio.gather(*(journey(client, key) for key in keys))

    assert [(200, [key, key]) for key in keys] == answers


async def test_a_record_that_makes_no_sense_is_counted_and_passed_over(bootstrap: str, prefix: str) -> None:
    """What comes after it is shown."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        await writer.status("order", at="when?")
        await writer.status("invoice", rate="fast")
        await writer.window(60, 0, "changes.order", 0, count="many")  # type: ignore[arg-type]
        await writer.status("order", backlog=7)
        parts = await state(client, lambda parts: parts[f"row/{prefix}/order"].get("backlog") == 7 and parts["unreadable"] == 3)

    assert 3 == parts["unreadable"]


async def test_a_worker_that_died_in_a_transaction_hides_no_other(bootstrap: str, prefix: str) -> None:
    """Kafka holds committed reads back behind an open transaction for up to 30 s; reports are shown all the same."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url, asking(url) as client:
        dying = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=prefix)
        await dying.start()
        await dying.begin_transaction()
        await dying.send_and_wait(f"{prefix}.connector-status", orjson.dumps(status("order")), b"order")
        await writer.status("invoice")
        await state(client, lambda parts: parts[f"row/{prefix}/invoice"]["state"] == "running", within=15)
        await dying.abort_transaction()
        await dying.stop()


async def test_an_outage_of_kafka_is_said_and_survived(own_kafka: Broker, prefix: str) -> None:
    """Since when, and why; afterwards what comes is shown again, and nothing was forgotten."""
    config = configuration(own_kafka.bootstrap, prefix)
    async with served(config) as url, asking(url) as client:
        async with writing(own_kafka.bootstrap, prefix) as writer:
            await writer.status("order", backlog=1)
            await writer.journey("web-1", None, "commanded")
            await state(client, lambda parts: parts[f"row/{prefix}/order"].get("backlog") == 1)
            await state(client, lambda parts: parts[f"orders/{prefix}"]["count"] == 1)
        assert (200, ["web-1"]) == await journey(client, "web-1")
        await asyncio.to_thread(own_kafka.kill)
        down = await state(client, lambda parts: parts["kafka"]["since"] is not None)
        assert "Kafka cannot be reached" in down["kafka"]["reason"]
        assert (503, []) == await journey(client, "web-1")
        await asyncio.to_thread(own_kafka.restart)
        await state(client, lambda parts: parts["kafka"]["since"] is None)
        async with writing(own_kafka.bootstrap, prefix, ()) as writer:
            await writer.status("order", backlog=2)
            await writer.journey("web-2", None, "commanded")
            parts = await state(client, lambda parts: parts[f"row/{prefix}/order"].get("backlog") == 2)
            await state(client, lambda parts: parts[f"orders/{prefix}"]["count"] == 2)
        assert [(200, ["web-1"]), (200, ["web-2"])] == [await journey(client, key) for key in ("web-1", "web-2")]

    assert [] == [name for name, value in parts.items() if name.startswith("trouble/") and value and "statuses" in name]
