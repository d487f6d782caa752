"""The client's edge: what it keeps of an answer, what it believes, whom it tells, and whom it lets slow it down."""

import asyncio
import codecs
import gzip
from collections.abc import Callable

import pytest
from aiohttp import web

from connector.errors import AccessDenied, ConnectorError, Refused, Retry, Unanswered, Unreadable
from connector.events.base import Event
from connector.events.pos import CallBegan, CallMade, CallRetried
from connector.mplus import client as client_module
from connector.mplus.arrivals import ITEM_BYTES
from connector.mplus.client import Access, PosClient, Retries
from connector.mplus.responses.document import NotWellFormed, PageError, TooLarge
from connector.mplus.responses.pages import Item, PageSpec, Undecodable
from connector.mplus.responses.pipe import DecoderDied
from connector.mplus.responses.process import InlineDecoder
from connector.source.entities import Choices, named
from tests.mplus.hostile import Reply, hostile, http, right
from tests.support.pos.scripted import SOAP, Answer, client, fault, found, scripted, version, xml

ORDER = named(["order"])[0]
FIELDS = ORDER.readings[0].fields(1, 10, Choices())
ONE = [("orderId", "o-1")]
V1 = "getCurrentSyncMarkersResponse"
ITEMS = "".join(f"<n:order><n:orderId>o-{number}</n:orderId><n:syncMarker>{number}</n:syncMarker></n:order>" for number in (5, 6))
PAGE = f'<n:GetOrdersResponse xmlns:n="urn:mplusqapi"><n:orderList>{ITEMS}</n:orderList></n:GetOrdersResponse>'


def raw(body: bytes, **headers: str) -> Answer:
    """These bytes, as XML, with these headers."""
    given = {"Content-Type": "text/xml"} | {name.replace("_", "-"): text for name, text in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers=given)

    return answer


class Decoding:
    """A page that does as it is told when its first bytes come."""

    seconds = 0.0

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self.specs: list[PageSpec] = []

    def open(self, spec: PageSpec) -> "Decoding":
        self.specs.append(spec)
        return self

    async def feed(self, _: bytes) -> list[Item | Undecodable]:
        self._act()
        return []

    async def close(self) -> list[Item | Undecodable]:
        return []

    def abandon(self) -> None:
        pass


def raising(error: BaseException) -> Decoding:
    """A decoder that fails so."""

    def fail() -> None:
        raise error

    return Decoding(fail)


def decoded_by(url: str, decoding: Decoding, told: list[Event]) -> PosClient:
    """A client with this decoder."""
    return PosClient(Access("demo", url, "i", "s", rate=1000), decoding, told.append, retries=Retries(first=0.01))


async def test_cookies_are_neither_kept_nor_sent() -> None:
    """Also those whose letters no header can carry back."""
    sent: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        sent.append(request.headers.get("Cookie"))
        response = await version()(request)
        response.headers["Set-Cookie"] = "naam=Caf\u00e9; Path=/"
        return response

    async with scripted(answer) as pos, client(pos.url, retries=Retries(attempts=1)) as (speaking, _):
        for _ in range(3):
            await speaking.numbers("getApiVersion")

    assert [None, None, None] == sent


@pytest.mark.parametrize("status", [b"200 Caf\xc3\xa9", b"200 Caf\xe9", b"200 ", b"200"])
async def test_letters_behind_the_status_are_nothing_to_us(status: bytes) -> None:
    """A server may speak its own language there, and in any header."""
    async with (
        hostile(lambda request: Reply(http(right(request), b"X-Naam: Caf\xe9", status=status))) as url,
        client(url, retries=Retries(attempts=1)) as (speaking, _),
    ):
        assert {"relationSyncMarker": 5} == await speaking.numbers("getCurrentSyncMarkersV2")
        assert "CANCEL-ORDER-RESULT-OK" == (await speaking.change("cancelOrder", ONE)).code


async def test_a_redirect_is_not_followed_by_any_call() -> None:
    """It would carry the secret away, and send the call once more."""
    async with scripted(xml("<x/>", 307, Location="/")) as pos, client(pos.url, retries=Retries(attempts=1)) as (speaking, _):
        for call in (
            speaking.page("getOrders", FIELDS, ORDER.page),
            speaking.numbers("getApiVersion"),
            speaking.order("getOrder", ONE),
        ):
            with pytest.raises(Retry, match="HTTP 307"):
                await call

    assert 3 == len(pos.asked)


@pytest.mark.parametrize("answer", [
    xml(f"<n:{V1} xmlns:n='urn:mplusqapi'><n:orderSyncMarker>7</n:orderSyncMarker></n:{V1}>"),
    version(),
    xml('<n:GetCurrentSyncMarkersV2Response xmlns:n="urn:mplusqapi"/>'),
    xml('<n:GetOrdersResponse xmlns:n="urn:mplusqapi"/>'),
    xml(""),
], ids=["the older operation", "another operation", "empty", "empty page", "empty body"])  # fmt: skip
async def test_heads_are_believed_only_from_their_own_answer(answer: Answer) -> None:
    """Asked once: what says nothing of them is an error, not heads of nothing."""
    async with scripted(answer) as pos, client(pos.url) as (speaking, _):
        with pytest.raises(Retry, match="cannot be read"):
            await speaking.numbers("getCurrentSyncMarkersV2")

    assert 1 == len(pos.asked)


async def test_a_small_call_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A POS that hangs is told after seconds, by one attempt, however long a page may take; and it is seen meanwhile."""
    monkeypatch.setattr(client_module, "SMALL_CALL_S", 0.2)
    forever = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.Response()

    async with scripted(hang) as pos, client(pos.url, timeout=600) as (speaking, told):
        with pytest.raises(Unanswered, match="did not answer in time"):
            await speaking.numbers("getCurrentSyncMarkersV2")
        forever.set()

    began, made = told
    assert CallBegan("demo", "getCurrentSyncMarkersV2", 1) == began
    assert isinstance(made, CallMade)
    assert (1, "Unanswered", 1) == (made.number, made.fault, len(pos.asked))


async def test_each_call_is_told_when_it_begins_and_when_it_ends() -> None:
    """By a number of its own, each attempt too."""
    async with scripted(fault("Server", "no"), xml(PAGE), found(), version()) as pos, client(pos.url) as (speaking, told):
        await speaking.page("getOrders", FIELDS, ORDER.page)
        await speaking.order("getOrder", ONE)
        await speaking.numbers("getApiVersion")

    calls = [(type(event), event.number) for event in told if isinstance(event, CallBegan | CallMade)]
    assert [(kind, number) for number in (1, 2, 3, 4) for kind in (CallBegan, CallMade)] == calls
    assert 1 == sum(isinstance(event, CallRetried) for event in told)


async def test_a_call_that_we_give_up_tells_nothing_of_the_pos() -> None:
    """It has begun and ended, and was not answered."""
    arrived, forever = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await forever.wait()
        return web.Response()

    async with scripted(hang) as pos, client(pos.url) as (speaking, told):
        asking = asyncio.create_task(speaking.numbers("getApiVersion"))
        await arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        forever.set()

    began, made = told
    assert isinstance(began, CallBegan)
    assert isinstance(made, CallMade)
    assert (began.number, True, False) == (made.number, made.cancelled, made.answered)


async def test_a_listener_that_raises_breaks_no_call() -> None:
    """A full disk under the log is no reason to lose an answer."""

    def full(_: Event) -> None:
        raise OSError("No space left on device")

    async with scripted(version(), xml(PAGE), found()) as pos:
        speaking = PosClient(Access("demo", pos.url, "i", "s", rate=1000), InlineDecoder(), full)
        assert 67 == (await speaking.numbers("getApiVersion"))["majorNumber"]
        assert 2 == len(await speaking.page("getOrders", FIELDS, ORDER.page))
        assert "GET-ORDER-RESULT-OK" == (await speaking.order("getOrder", ONE)).code
        await speaking.close()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RecursionError(), KeyError("x"), OSError(24, "Too many open files"), StopAsyncIteration(), BlockingIOError()],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_decoder_raises_is_an_error_of_ours(error: Exception) -> None:
    """Of that page alone."""
    async with scripted(xml(PAGE)) as pos:
        speaking = decoded_by(pos.url, raising(error), [])
        with pytest.raises(Retry, match=r"^getOrders: "):
            await speaking.page("getOrders", FIELDS, ORDER.page)
        await speaking.close()


async def test_a_cancellation_that_nobody_asked_for_is_an_error_of_ours() -> None:
    """What is cancelled within a library does not end the task that called it; what we cancel does."""
    async with scripted(xml(PAGE)) as pos:
        speaking = decoded_by(pos.url, raising(asyncio.CancelledError()), [])
        with pytest.raises(Unanswered, match="broken off"):
            await speaking.page("getOrders", FIELDS, ORDER.page)

        await speaking.close()

        def cancel() -> None:
            asking.cancel()

        stopping = decoded_by(pos.url, Decoding(cancel), [])
        asking = asyncio.create_task(stopping.page("getOrders", FIELDS, ORDER.page))
        with pytest.raises(asyncio.CancelledError):
            await asking
        await stopping.close()


@pytest.mark.parametrize(("error", "careful"), [(PageError, False), (NotWellFormed, True), (TooLarge, True), (DecoderDied, True)])
async def test_a_page_that_cannot_be_read_says_whether_care_may_help(error: type[Exception], careful: bool) -> None:
    """Told at once: the client does not ask once more as it was asked."""
    async with scripted(xml(PAGE)) as pos:
        speaking = decoded_by(pos.url, raising(error("column 7")), [])
        with pytest.raises(Unreadable, match="column 7") as raised:
            await speaking.page("getOrders", FIELDS, ORDER.page)
        await speaking.close()

    assert careful == raised.value.careful
    assert 1 == len(pos.asked)


async def test_bytes_of_items_are_told_as_they_come_and_only_once() -> None:
    """Also where the first attempt was cut behind some of them; waiting there takes nothing from the call's time."""
    whole = (SOAP % PAGE).encode()
    cut = whole.index(b"o-6")

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
        await response.prepare(request)
        await response.write(whole[:cut])
        await came.wait()
        assert request.transport is not None
        request.transport.close()
        return response

    came, told = asyncio.Event(), []

    async def arrived(size: int) -> None:
        told.append(size)
        await asyncio.sleep(0.7)  # longer than the call may take
        came.set()

    async with scripted(half, xml(PAGE)) as pos, client(pos.url, timeout=0.5) as (speaking, _):
        page = await speaking.page("getOrders", FIELDS, ORDER.page, arrived)

    sizes = [ITEM_BYTES + len(item.value) for item in page if isinstance(item, Item)]
    assert 2 == len(pos.asked)
    assert sizes == told


async def test_a_body_comes_as_it_is() -> None:
    """For whoever counts for himself; faults, refusals and sizes are judged all the same."""
    answers = (
        xml(PAGE),
        fault("Client", "no"),
        xml("<e:Fault><faultcode>e:Client</faultcode></e:Fault>"),
        xml(PAGE),
        xml("<x/>", 403),
    )
    async with scripted(*answers) as pos, client(pos.url) as (speaking, _):
        assert (SOAP % PAGE).encode() == await speaking.body("getOrders", FIELDS, 10_000)
        for kind, most in ((Refused, 10_000), (Refused, 10_000), (Unreadable, 100), (AccessDenied, 10_000)):
            with pytest.raises(kind):
                await speaking.body("getOrders", FIELDS, most)

    assert 5 == len(pos.asked)


async def test_what_no_xml_can_carry_is_refused_unsent() -> None:
    """And is an error of ours for a look as for a change."""
    async with scripted(found()) as pos, client(pos.url) as (speaking, told):
        for call in (speaking.order, speaking.change):
            with pytest.raises(Refused, match=r"U\+0001 cannot be sent"):
                await call("getOrder", [("orderId", "\x01")])

    assert ([], []) == (pos.asked, told)


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", '"ISO-8859-15"'])
async def test_the_charset_of_the_header_holds_where_the_document_says_nothing(charset: str) -> None:
    """Of small answers, orders and faults; and the decoder of a page is told of it."""
    said = "<e:Fault><faultcode>e:Client</faultcode><faultstring>Caf\u00e9</faultstring></e:Fault>"
    kind = f"text/xml; charset={charset}"
    bare = raw((SOAP % said).encode("latin-1"), Content_Type=kind)
    declared = raw(('<?xml version="1.0" encoding="utf-8"?>' + SOAP % said).encode(), Content_Type=kind)
    mistaken = raw((SOAP % said).encode(), Content_Type="text/xml; charset=shift_jis")
    async with scripted(bare, declared, mistaken, raw((SOAP % PAGE).encode(), Content_Type=kind)) as pos:
        decoding = Decoding(lambda: None)
        speaking = decoded_by(pos.url, decoding, [])
        for _ in range(2):
            with pytest.raises(Refused, match="Caf\u00e9"):
                await speaking.order("getOrder", ONE)
        with pytest.raises(ConnectorError):
            await speaking.order("getOrder", ONE)
        await speaking.page("getOrders", FIELDS, ORDER.page)
        await speaking.close()

    assert [codecs.lookup(charset.strip('"')).name] == [spec.charset for spec in decoding.specs]
    assert ["GetOrdersResponse"] == [spec.response for spec in decoding.specs]


@pytest.mark.parametrize(
    "charset", ["utf-8", "UTF8", "hex", "punycode", "idna", "utf-7", "unicode_escape", "utf-16", "iso-8859-12", "x-foo", ""]
)
async def test_a_charset_that_is_none_is_not_believed(charset: str) -> None:
    """One that Python knows for other purposes could cost hours; UTF-8 needs no word."""
    async with scripted(raw((SOAP % PAGE).encode(), Content_Type=f"text/xml; charset={charset}")) as pos:
        decoding = Decoding(lambda: None)
        speaking = decoded_by(pos.url, decoding, [])
        await speaking.page("getOrders", FIELDS, ORDER.page)
        await speaking.close()

    assert [None] == [spec.charset for spec in decoding.specs]


@pytest.mark.parametrize("coding", ["x-gzip", "X-GZIP", "identity, x-gzip"])
async def test_the_older_name_of_gzip_is_understood(coding: str) -> None:
    """Of pages and of small answers."""
    page = raw(gzip.compress((SOAP % PAGE).encode()), Content_Encoding=coding)
    small = raw(
        gzip.compress(
            (SOAP % '<n:GetOrderResponse xmlns:n="urn:mplusqapi"><n:result>R</n:result></n:GetOrderResponse>').encode()
        ),
        Content_Encoding=coding,
    )
    async with scripted(page, small) as pos, client(pos.url) as (speaking, _):
        assert 2 == len(await speaking.page("getOrders", FIELDS, ORDER.page))
        assert "R" == (await speaking.order("getOrder", ONE)).code
