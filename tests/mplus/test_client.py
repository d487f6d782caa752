"""The client: what it repeats, how long it waits, and what it calls an answer."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import pairwise

import pytest
from aiohttp import web

from connector.errors import AccessDenied, Refused, Retry, Unanswered
from connector.events.pos import CallMade, CallRetried
from connector.mplus.client import Retries
from connector.mplus.operations import OPERATIONS, Operation
from connector.sandbox import Sandbox, SandboxOptions
from connector.source.entities import Choices, named
from tests.support.pos.scripted import client, fault, found, scripted, xml, zipped

ORDER = named(["order"])[0]
ONE = [("orderId", "o-1")]
ORDERS = '<n:GetOrdersResponse xmlns:n="urn:mplusqapi"><n:orderList>%s</n:orderList></n:GetOrdersResponse>'


async def busy(_: web.Request) -> web.StreamResponse:
    """A server that has no time now."""
    return web.Response(status=429, text="busy")


def asks_to_wait(status: int, when: str) -> object:
    """A server that says when to come again."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": when}, text="busy")

    return answer


@pytest.mark.parametrize("kind", ["server_fault", "drop_before", "drop_after", "unavailable", "garbage"])
async def test_a_passing_failure_is_outlasted(kind: str) -> None:
    """Whatever struck two looks at an order, the third answer is returned, and each repetition is told."""
    async with Sandbox(SandboxOptions(items=1)) as pos, client(pos.url, ident=pos.ident, secret=pos.secret) as (speaking, told):
        pos.faults.switch(kind, count=2, seconds=0)

        assert "GET-ORDER-RESULT-NOT-FOUND" == (await speaking.order("getOrder", ONE)).code
        assert 3 == pos.requests.counts["getOrder"]
        struck = "Unanswered" if kind.startswith("drop") else "Retry"
        assert [(2, struck), (3, struck)] == [(event.attempt, event.fault) for event in told if isinstance(event, CallRetried)]
        assert [struck, struck, ""] == [event.fault for event in told if isinstance(event, CallMade)]


@pytest.mark.parametrize("kind", ["server_fault", "drop_before", "unavailable", "garbage"])
async def test_a_lasting_failure_is_a_retry_for_the_caller(kind: str) -> None:
    """The client gives up after its attempts, and says that trying again later makes sense."""
    async with Sandbox(SandboxOptions(items=1)) as pos, client(pos.url, ident=pos.ident, secret=pos.secret) as (speaking, _):
        pos.faults.switch(kind, probability=1.0, seconds=0)
        with pytest.raises(Retry):
            await speaking.order("getOrder", ONE)

        assert 4 == pos.requests.counts["getOrder"]


async def test_waiting_doubles_between_attempts() -> None:
    """A POS that fails is left alone, longer each time."""
    patience = Retries(attempts=5, first=0.05, most=10)
    async with scripted(fault("Server", "no")) as pos, client(pos.url, retries=patience) as (speaking, _):
        with pytest.raises(Retry):
            await speaking.order("getOrder", ONE)

    waited = [later - earlier for earlier, later in pairwise(pos.asked)]
    assert 4 == len(waited)
    for waits, first in zip(waited, (0.05, 0.1, 0.2, 0.4), strict=True):
        assert first <= waits < first + 0.05 + 0.3  # jitter, and a busy machine


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_obeyed(status: int) -> None:
    """A POS that says when to come again is not asked earlier."""
    async with scripted(asks_to_wait(status, "1"), found()) as pos, client(pos.url) as (speaking, _):  # type: ignore[arg-type]
        await speaking.order("getOrder", ONE)

    assert 1.0 <= pos.asked[1] - pos.asked[0] < 2.0


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("operation", ["payOrderV2", "getOrder"])
async def test_a_fault_may_ask_to_wait(operation: str, status: int) -> None:
    """Retry-After beside a SOAP fault of any status is told to who called, be it for changing or for looking."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await fault("Server", "maintenance")(request)
        assert isinstance(response, web.Response)
        return web.Response(status=status, headers={"Retry-After": "120"}, body=response.body, content_type="text/xml")

    async with scripted(answer) as pos, client(pos.url, retries=Retries(attempts=1)) as (speaking, _):
        with pytest.raises(Retry) as raised:
            await (speaking.change if operation == "payOrderV2" else speaking.order)(operation, [])
    assert 120 == raised.value.after
    assert not isinstance(raised.value, Unanswered)


async def test_retry_after_as_a_date_is_obeyed() -> None:
    """The header's other spelling."""
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    async with scripted(asks_to_wait(503, when), found()) as pos, client(pos.url) as (speaking, _):  # type: ignore[arg-type]
        await speaking.order("getOrder", ONE)

    assert parsedate_to_datetime(when) <= datetime.now(UTC)
    assert 2 == len(pos.asked)


@pytest.mark.parametrize("when", ["", "soon", "-5", "Wed, 99 Foo 2026 25:61:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_a_useless_retry_after_is_a_plain_failure(when: str) -> None:
    """It neither breaks the client nor makes it wait for ever."""
    async with scripted(asks_to_wait(503, when), found()) as pos, client(pos.url) as (speaking, _):  # type: ignore[arg-type]
        await speaking.order("getOrder", ONE)

    assert pos.asked[1] - pos.asked[0] < 1.0


async def test_no_retry_after_is_waited_out_by_the_clients_own_patience() -> None:
    """429 without a header is a failure like others, and when it lasts the caller learns no time."""
    async with scripted(busy) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Retry, match="429") as raised:
            await speaking.order("getOrder", ONE)

    assert raised.value.after is None
    assert 4 == len(pos.asked)


async def test_what_the_pos_asked_for_reaches_the_caller() -> None:
    """When the attempts are used up, the caller knows how long to stay away."""
    once = Retries(attempts=1)
    async with scripted(asks_to_wait(503, "7")) as pos, client(pos.url, retries=once) as (speaking, _):  # type: ignore[arg-type]
        with pytest.raises(Retry) as raised:
            await speaking.numbers("getApiVersion")

    assert 7.0 == raised.value.after


@pytest.mark.parametrize("code", ["Client", "Client.BadRequest"])
async def test_a_client_fault_is_not_repeated(code: str) -> None:
    """Repeating a wrong request is useless; what the POS said is in the message."""
    async with scripted(fault(code, "relationNumber is unknown")) as pos, client(pos.url) as (speaking, told):
        with pytest.raises(Refused, match="getApiVersion is refused: relationNumber is unknown") as raised:
            await speaking.numbers("getApiVersion")

    assert code == raised.value.code
    assert 1 == len(pos.asked)
    assert ["Refused"] == [event.fault for event in told if isinstance(event, CallMade)]


async def test_a_wrong_secret_is_access_denied_at_once() -> None:
    """Told apart from a refused operation, with what to check, and not repeated."""
    async with Sandbox(SandboxOptions(items=1)) as pos, client(pos.url, ident=pos.ident, secret="wrong") as (speaking, told):
        with pytest.raises(AccessDenied, match="MPLUS_IDENT and MPLUS_SECRET"):
            await speaking.numbers("getApiVersion")

    assert ["AccessDenied"] == [event.fault for event in told if isinstance(event, CallMade)]


@pytest.mark.parametrize("status", [401, 403])
async def test_http_401_and_403_are_access_denied(status: int) -> None:
    """A proxy before the POS may refuse in its own way."""
    async with scripted(xml("<x/>", status)) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(AccessDenied):
            await speaking.numbers("getApiVersion")

    assert 1 == len(pos.asked)


async def test_an_operation_that_is_not_repeatable_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether repeating is safe is said in the table, not guessed."""
    monkeypatch.setitem(OPERATIONS, "payOrder", Operation("payOrder"))
    async with scripted(fault("Server", "no")) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Retry):
            await speaking.order("payOrder", ONE)

    assert 1 == len(pos.asked)


async def test_a_compressed_answer_is_read() -> None:
    """Where the POS or a proxy compresses, nothing changes."""
    order = "<n:order><n:orderId>o-1</n:orderId><n:syncMarker>5</n:syncMarker></n:order>"
    async with scripted(zipped(ORDERS % order)) as pos, client(pos.url) as (speaking, _):
        page = await speaking.page("getOrders", ORDER.readings[0].fields(1, 10, Choices()), ORDER.page)

    assert ["o-1"] == [item.identity for item in page]
    assert "gzip" in pos.accepts[0]


async def test_a_fault_in_an_answer_that_says_200_is_a_fault() -> None:
    """Some servers send their faults with HTTP 200: a page of one is not an empty page."""
    body = "<e:Fault><faultcode>e:Server</faultcode><faultstring>no</faultstring></e:Fault>"
    async with scripted(xml(body)) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Retry, match="the POS failed: no"):
            await speaking.page("getOrders", ORDER.readings[0].fields(1, 10, Choices()), ORDER.page)

    assert 2 == len(pos.asked)
