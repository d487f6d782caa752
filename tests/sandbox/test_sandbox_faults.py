"""Each fault does what it says, and can be switched while the sandbox runs."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

from connector.sandbox import Faults, Sandbox, SandboxOptions
from connector.sandbox.faults.switches import KINDS
from tests.support.pos.sandbox_calls import WAYS, call, control, envelope, fault, heads, page, page_request

CUT = (httpx.RemoteProtocolError, httpx.ReadError)


async def _orders(pos: Sandbox) -> httpx.Response:
    return await call(pos, "getOrders", page_request("order"))


async def test_a_server_fault_is_http_500_with_a_server_code(pos: Sandbox) -> None:
    """server_fault answers a SOAP fault whose code starts with Server."""
    pos.faults.switch("server_fault", count=1)
    assert fault(await _orders(pos))[0] == "SOAP-ENV:Server"
    assert (await _orders(pos)).status_code == 200


async def test_unavailable_says_when_to_come_back(pos: Sandbox) -> None:
    """unavailable answers 503 with Retry-After in seconds."""
    pos.faults.switch("unavailable", count=1, seconds=7)
    response = await _orders(pos)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_dropped_connection_gives_no_answer(pos: Sandbox, kind: str) -> None:
    """drop_before and drop_after cut the connection without a byte of an answer; the call is in the log."""
    pos.faults.switch(kind, count=1)
    with pytest.raises(CUT):
        await _orders(pos)
    assert pos.requests.counts["getOrders"] == 1
    assert (await _orders(pos)).status_code == 200


async def test_truncate_closes_in_the_middle_of_the_body(pos: Sandbox) -> None:
    """truncate announces the whole answer and sends half of it."""
    pos.faults.switch("truncate", count=1)
    with pytest.raises(CUT):
        await _orders(pos)


@pytest.mark.parametrize("kind", ["truncate", "truncate_framed", "server_fault_after", "drop_after"])
async def test_a_caller_that_is_gone_is_nothing_to_log(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever hung up before the answer gets none, and the sandbox says nothing about it."""
    async with Sandbox(SandboxOptions(items=40)) as pos:
        pos.faults.switch("delay_after_seconds", count=1, seconds=0.3)
        pos.faults.switch(kind, count=1)
        body = envelope("getCurrentSyncMarkers").encode()
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(pos.url).port)
        target = f"/?ident={pos.ident}&secret={pos.secret}"
        writer.write(f"POST {target} HTTP/1.1\r\nHost: pos\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        while not pos.requests.counts:  # noqa: ASYNC110  a log tells nobody
            await asyncio.sleep(0.01)
        writer.transport.abort()
    assert [] == caplog.messages  # when it has stopped, its calls have ended


async def test_truncate_framed_is_a_complete_answer_with_half_the_xml(pos: Sandbox) -> None:
    """truncate_framed answers 200 with a right Content-Length, and XML that stops in the middle."""
    whole = await _orders(pos)
    pos.faults.switch("truncate_framed", count=1)
    response = await _orders(pos)
    assert response.status_code == 200
    assert response.content == whole.content[: len(whole.content) // 2]
    with pytest.raises(ET.ParseError):
        ET.fromstring(response.content)


async def test_garbage_is_http_200_without_xml(pos: Sandbox) -> None:
    """garbage answers 200 with something that is no XML."""
    pos.faults.switch("garbage", count=1)
    response = await _orders(pos)
    assert response.status_code == 200
    with pytest.raises(ET.ParseError):
        ET.fromstring(response.content)


async def test_a_delay_takes_its_time_and_then_answers(pos: Sandbox) -> None:
    """delay_seconds holds the answer back for at least that long."""
    pos.faults.switch("delay_seconds", count=1, seconds=0.2)
    begun = time.monotonic()
    assert (await _orders(pos)).status_code == 200
    assert time.monotonic() - begun >= 0.2


async def test_a_fault_can_be_limited_to_operations(pos: Sandbox) -> None:
    """Only the named operations are struck."""
    pos.faults.switch("server_fault", probability=1, operations=["getOrders"])
    assert (await _orders(pos)).status_code == 500
    assert (await call(pos, "getRelations")).status_code == 200


async def test_missing_operations_are_not_implemented(pos: Sandbox) -> None:
    """An old administration knows no V2: a Client fault says so, and V1 still answers."""
    pos.faults.missing_operations = frozenset({"getCurrentSyncMarkersV2"})
    code, text = fault(await call(pos, "getCurrentSyncMarkersV2", "<request/>"))
    assert code == "SOAP-ENV:Client"
    assert "'getCurrentSyncMarkersV2' not implemented" in text
    assert await heads(pos)


async def test_faults_are_switched_over_http(pos: Sandbox) -> None:
    """POST replaces the faults that it names and leaves the others; DELETE switches all off."""
    await control(pos, "faults", {"server_fault": {"count": 1, "operations": ["getOrders"]}, "delay_seconds": 0.01})
    shown = (await control(pos, "faults", {"missing_operations": ["getProposals"]})).json()
    assert shown == (await control(pos, "faults")).json()
    assert shown["server_fault"] == {"probability": 0.0, "count": 1, "operations": ["getOrders"], "seconds": 1.0}
    assert (shown["delay_seconds"]["probability"], shown["delay_seconds"]["seconds"]) == (1.0, 0.01)
    assert (await _orders(pos)).status_code == 500
    assert (await call(pos, "getProposals", page_request("proposal"))).status_code == 500
    async with httpx.AsyncClient() as client:
        await client.delete(f"{pos.url}_sandbox/faults")
    assert (await control(pos, "faults")).json() == {"missing_operations": []}
    assert (await call(pos, "getProposals", page_request("proposal"))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"server_fault": 2},
        {"no_such_fault": 0.5},
        {"server_fault": True},
        {"server_fault": {"chance": 1}},
        {"drop_after": {"count": -1}},
        {"missing_operations": "getOrders"},
        {"garbage": 0.5, "truncate": {"operations": [1]}},
        [],
    ],
)
async def test_a_wrong_setting_is_refused_whole(pos: Sandbox, wrong: object) -> None:
    """What is not understood is HTTP 400 with one line, and nothing was switched."""
    response = await control(pos, "faults", wrong)
    assert response.status_code == 400
    assert response.json()["error"]
    assert (await control(pos, "faults")).json() == {"missing_operations": []}


def test_probabilities_follow_the_seed() -> None:
    """The same seed strikes the same calls, at about the probability asked for."""
    rows = []
    for _ in range(2):
        faults = Faults(seed=3)
        faults.switch("drop_after", probability=0.3)
        rows.append([faults.due("drop_after", "getOrders") is not None for _ in range(1000)])
    assert rows[0] == rows[1]
    assert 250 < sum(rows[0]) < 350


def test_a_count_strikes_so_often_and_no_more() -> None:
    """A count of 2 strikes the next two calls of its operations."""
    faults = Faults()
    faults.switch("garbage", count=2, operations=["getOrders"])
    calls = ["getOrders", "getRelations", "getOrders", "getOrders"]
    assert [faults.due("garbage", each) is not None for each in calls] == [True, False, True, False]


def test_there_is_a_test_for_every_kind() -> None:
    """A fault that is added must be named in the tests of faults or orders."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


async def test_a_fall_back_restores_what_was(pos: Sandbox) -> None:
    """After fall-back by 50 the head is 50 lower, every item is where it was, and the numbers come again for other changes."""
    before, head = pos.truth()["order"], pos.shop.heads()["order"]
    pos.shop.change("order", 30)
    for _ in range(20):
        pos.shop.create("order")
    changed = await page(pos, "order")
    assert (await control(pos, "fall-back", {"entity": "order", "by": 50})).json()["order"] == head
    assert (await heads(pos))["orderSyncMarker"] == head
    assert dict(await page(pos, "order")) == before != dict(changed)
    one = next(iter(before))
    assert pos.shop.change_item("order", one) == head + 1
    assert (one, head + 1) in await page(pos, "order", head + 1)


@pytest.mark.parametrize("entity", WAYS)
async def test_every_entity_can_fall_back_into_its_seeded_past(pos: Sandbox, entity: str) -> None:
    """Restoring a backup from before the sandbox started leaves a smaller, consistent shop."""
    by = pos.shop.heads()[entity] // 2
    pos.shop.fall_back(entity, by)
    head = pos.shop.heads()[entity]
    found = dict(await page(pos, entity))
    assert found == pos.truth()[entity]
    assert max(found.values()) <= head


async def test_what_is_made_after_a_restore_is_new() -> None:
    """An order made after a restore has an orderId that none before it had, though its marker is an old one."""
    async with Sandbox(SandboxOptions(items=10)) as pos:
        lost = pos.shop.create("order")
        pos.shop.fall_back("order", 1)
        made = pos.shop.create("order")
        assert made.marker == lost.marker
        assert made.identity != lost.identity
