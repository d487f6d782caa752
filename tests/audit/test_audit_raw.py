"""Items told by their tags alone: the same as the decoder tells where it can read, and more where it cannot."""

import random
from collections.abc import Mapping
from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.audit import content
from connector.audit.asking import shape_of
from connector.audit.raw import NotAPageError, RawItem, item, items
from connector.mplus.operations import OPERATIONS
from connector.mplus.responses.pages import Item, PageDecoder
from connector.sandbox.faults.switches import Faults
from connector.sandbox.options import SandboxOptions
from connector.sandbox.server import open_shop
from connector.sandbox.soap.markup import element
from connector.sandbox.soap.writing import item_xml
from connector.source.entities import ENTITIES, Entity, named
from tests.support.package_modules import inside, modules
from tests.support.pos.instances import TYPES, Instances, Xsd, wsdl

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
(ORDER,) = named(["order"])
(ARTICLE,) = named(["article"])
NAMES = {entity.name: entity for entity in ENTITIES}


def page(entity: Entity, rows: str, before: str = "", operation: int = 0) -> str:
    """An answer that holds these items."""
    response = OPERATIONS[entity.readings[operation].operation].response
    for name in reversed(entity.page.path[:-1]):
        rows = f"<ns:{name}>{rows}</ns:{name}>"
    head = f'{before}<S:Envelope xmlns:S="{SOAP}" xmlns:ns="urn:mplusqapi"><S:Body>'
    return f"{head}<ns:{response}>{rows}</ns:{response}></S:Body></S:Envelope>"


def raw(entity: Entity, text: bytes | str) -> list[RawItem]:
    """What is told of a page by its tags."""
    body = text.encode() if isinstance(text, str) else text
    return items(body, OPERATIONS[entity.readings[0].operation].response, shape_of(entity))


def told(found: list[RawItem]) -> list[tuple[int | None, str | None]]:
    """Markers and identities."""
    return [each[:2] for each in found]


def order(identity: str, marker: object, more: str = "") -> str:
    """An order's XML."""
    return f"<ns:order><ns:orderId>{identity}</ns:orderId>{more}<ns:syncMarker>{marker}</ns:syncMarker></ns:order>"


def _alike(entity: Entity, text: str) -> None:
    """The decoder and the tags tell the same; of what the decoder cannot read, the tags tell at least as much."""
    decoder = PageDecoder(entity.page)
    decoded = decoder.feed(text.encode()) + decoder.close()
    found = raw(entity, text)
    assert len(decoded) == len(found)
    for one, other in zip(decoded, found, strict=True):
        if isinstance(one, Item):
            assert (one.identity, one.deleted) == (other.identity, other.deleted)
        if one.marker is not None and entity.page.marker_within is None:
            assert one.marker == other.marker


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chance_of_empty", [0.0, 0.3])
def test_instances_of_every_type_are_told_as_the_decoder_tells_them(name: str, chance_of_empty: float) -> None:
    """Every field of the WSDL filled, or many empty: count, identity, marker and deletion are the same."""
    xsd, entity = Xsd(wsdl()), NAMES[name]
    rows = [Instances(xsd, seed, chance_of_empty=chance_of_empty).item(entity.page.path[-1], TYPES[name]) for seed in range(12)]
    _alike(entity, page(entity, "".join(rows)))


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_a_shop_are_told_as_the_decoder_tells_them(name: str) -> None:
    """Also without the vendor's WSDL; and a list's content is the same from its XML and from its event."""
    entity, shop = NAMES[name], open_shop(SandboxOptions(items=40), Faults(1), lambda: 1.8e9)
    if entity.listed:
        rows = [element(entity.page.path[-1], row) for row in shop.lists.rows[name].values()]
    else:
        rows = [item_xml(shop, each, "whole").decode() for each in shop.sequences[name]]
    text = page(entity, "".join(rows))
    _alike(entity, text)
    decoder = PageDecoder(entity.page)
    if entity.listed:
        events = [each.value for each in decoder.feed(text.encode()) + decoder.close() if isinstance(each, Item)]
        assert [content.of_event(value) for value in events] == [content.of_xml(each.xml) for each in raw(entity, text)]
        assert len({content.of_event(value) for value in events}) == len(events) > 1


def test_the_highest_marker_of_a_product_and_its_articles_counts() -> None:
    """A product that keeps its own marker when one of its articles changes has changed."""
    articles = "".join(f"<ns:article><ns:syncMarker>{marker}</ns:syncMarker></ns:article>" for marker in (7, 120, 9))
    row = f"<ns:productNumber>1</ns:productNumber><ns:syncMarker>5</ns:syncMarker><ns:articleList>{articles}</ns:articleList>"
    row = f"<ns:product>{row}</ns:product>"
    assert [(120, "1")] == told(raw(ARTICLE, page(ARTICLE, row)))


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("audit.")])
def test_an_audit_stands_on_nothing_that_it_audits(module: str) -> None:
    """Neither on the decoder, nor on how pollers ask, judge and publish pages: where these are blind, it must see."""
    decoding = {f"mplus.{name}" for name in ("pages", "decode", "document", "values", "envelope", "child", "link")}
    reading = {f"source.{name}" for name in ("scan", "position", "reader", "heads", "bundles", "lists", "poller", "repair")}
    assert set() == inside(module) & (decoding | reading)


ODD = {
    "a control character": order("a", 1, "<ns:reference>0\x1d2</ns:reference>"),
    "a reference to one": order("a", 1, "<ns:reference>0&#11;2</ns:reference>"),
    "a stray ampersand": order("a", 1, "<ns:reference>A & B</ns:reference>"),
    "a stray less-than": order("a", 1, "<ns:reference>1 < 2 <3</ns:reference>"),
    "an unknown entity": order("a", 1, "<ns:reference>&nbsp;</ns:reference>"),
    "attributes": order("a", 1).replace("<ns:order>", "<ns:order x='1' y=\"a>b\">").replace("orderId>a", "orderId z='>'>a"),
    "comments": order("<!-- <ns:syncMarker>9</ns:syncMarker> -->a", " <!-- 8 -->1 ", "<!-- </ns:order> -->"),
    "CDATA": order("<![CDATA[a]]>", "<![CDATA[1]]>", "<ns:reference><![CDATA[</ns:order><ns:order>]]></ns:reference>"),
    "an instruction": order("<?x <ns:order> ?>a", 1),
    "whole numbers in other spellings": order("a", " +001\n"),
    "a marker of a line is not the order's": order("a", 1, "<ns:l><ns:m><ns:syncMarker>77</ns:syncMarker></ns:m></ns:l>"),
    "an order in an order": order("a", 1, "<ns:other><ns:order><ns:orderId>b</ns:orderId></ns:order></ns:other>"),
    "another prefix": order("a", 1).replace("ns:", "q.w-1:"),
    "no prefix": order("a", 1).replace("ns:", ""),
    "an unclosed comment": order("a", 1, "<ns:reference><!-- x</ns:reference>"),
    "an odd quote in what looks like a tag": order("a", 1, "<ns:reference>5 <b \" c</ns:reference>"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_item_is_told(name: str) -> None:
    """Its name, its marker, and nothing of what only looks like them; the one behind it as well."""
    assert [(1, "a"), (2, "z")] == told(raw(ORDER, page(ORDER, ODD[name] + order("z", 2))))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (order("a", 1, "<ns:reference>"), [(1, None)]),
        (order("a", 1).replace("</ns:orderId>", ""), [(1, None)]),
        (order("a", 1).replace("</ns:order>", ""), [(1, None)]),
        (order("a", 1, "</ns:reference>"), [(1, None)]),
        (order("a", 1).replace("</ns:order>", "") + order("b", 3), [(1, None), (3, "b")]),
        (order("a", 1).replace("ns:order>", "ns:older>"), [(1, None)]),
        (order("", 1), [(1, None)]),
        (order("a", "x"), [(None, "a")]),
        (order("a", -1), [(None, "a")]),
        (order("a", 1 << 63), [(None, "a")]),
        ("<ns:order/>", [(None, None)]),
        ("<ns:order></ns:order>", [(None, None)]),
        (order("a", 1, "<ns:orderId>b</ns:orderId>"), [(1, None)]),
    ],
)
def test_a_broken_item_counts(row: str, expected: list[tuple[int | None, str | None]]) -> None:
    """Without a name, with its marker where that can be found; its neighbours keep theirs."""
    assert [(9, "y"), *expected, (2, "z")] == told(raw(ORDER, page(ORDER, order("y", 9) + row + order("z", 2))))


ENCODINGS = {
    "utf-8": "",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "cp1252": "windows-1252",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str) -> None:
    """By byte order mark, by declaration, or as UTF-8."""
    declared = f'<?xml version="1.0" encoding="{ENCODINGS[encoding]}"?>\n' if ENCODINGS[encoding] else ""
    assert [(1, "café")] == told(raw(ORDER, page(ORDER, order("café", 1), declared).encode(encoding)))


@pytest.mark.parametrize("name", ["utf-7", "no-such", "rot13", "base64"])
def test_an_encoding_that_nobody_knows_is_read_as_utf_8(name: str) -> None:
    """And bytes that are none are replaced."""
    text = page(ORDER, order("a\x00", 1), f'<?xml version="1.0" encoding="{name}"?>').encode().replace(b"\x00", b"\xff")
    assert [(1, "a\ufffd")] == told(raw(ORDER, text))


EMPTY = "<ns:GetOrdersResponse><ns:orderList></ns:orderList></ns:GetOrdersResponse>"
GOOD = page(ORDER, order("a", 1))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "garbage",
        "<html><body>502 Bad Gateway</body></html>",
        "<a/>",
        GOOD.replace("GetOrdersResponse", "GetRelationsResponse"),
        GOOD.replace("orderList", "relationList"),
        page(ORDER, "").replace("<ns:orderList></ns:orderList>", ""),
        page(ORDER, "").replace(EMPTY, "<ns:GetOrdersResponse/>"),
        page(ORDER, "").replace(EMPTY, '<x:hello xmlns:x="o"/>'),
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body><S:Fault><faultcode>S:Server</faultcode></S:Fault></S:Body></S:Envelope>',
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body/></S:Envelope>',
        GOOD.replace("</ns:orderList>", ""),
        GOOD + GOOD,
    ],
)  # fmt: skip
def test_what_is_not_the_answer_is_no_page(answer: str) -> None:
    """Another response, another list, none, a fault: nothing is ever concluded from them; one line without their data."""
    with pytest.raises(NotAPageError) as error:
        raw(ORDER, answer)
    assert "\n" not in str(error.value)
    assert 100 > len(str(error.value))


def test_a_page_that_is_cut_is_no_page() -> None:
    """At whatever byte."""
    for end in range(len(GOOD)):
        with pytest.raises(NotAPageError):
            raw(ORDER, GOOD[:end])


@pytest.mark.parametrize("rows", ["<ns:orderList></ns:orderList>", "<ns:orderList>\n</ns:orderList>", "<ns:orderList/>"])
def test_an_empty_list_is_a_page(rows: str) -> None:
    """And so is one with a header above, and other elements around."""
    header = "<S:Header><a:Action><Body/></a:Action></S:Header>"
    text = page(ORDER, "").replace("<ns:orderList></ns:orderList>", rows)
    assert [] == raw(ORDER, text)
    assert [] == raw(
        ORDER, text.replace("<S:Body>", f"{header}<S:Body>").replace("</ns:GetOrders", "<more>1</more></ns:GetOrders")
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 1 << 62)), max_size=8), st.integers())
def test_any_texts(rows: list[tuple[str, int]], seed: int) -> None:
    """Whatever stands in other elements and in identities, escaped or as CDATA, items are counted and named."""
    dice = random.Random(seed)
    beside = [f"<ns:reference>{_written(name, dice)}</ns:reference>" for name, _ in rows]
    text = "".join(order(_written(f"x{name}", dice), at, more) for (name, at), more in zip(rows, beside, strict=True))
    expected = [(marker, "x" + name.translate(ILLEGAL)) for name, marker in rows]
    assert expected == told(raw(ORDER, page(ORDER, text)))


ILLEGAL: Mapping[int, str] = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 65534, 65535], "�")


def _written(text: str, dice: random.Random) -> str:
    if dice.random() < 0.3 and "]]>" not in text:
        return f"<![CDATA[{text}]]>"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=30), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_nothing_makes_it_fail(noise: bytes, at: int, gone: int) -> None:
    """Whatever the bytes are, it is a page or it is none."""
    body = GOOD.encode()
    for text in (body[:at] + noise + body[at + gone :], noise):
        try:
            raw(ORDER, text)
        except NotAPageError:
            continue
        item(text, shape_of(ORDER))


def test_a_list_is_compared_by_what_it_says() -> None:
    """Spellings of one value are the same, other values are not, and no value is the same as an empty one."""
    xml = b"<r><a>1</a><b>true</b><c> x </c><d/><e><f>7</f><g>8</g></e></r>"
    assert content.of_xml(xml) == content.of_event(
        orjson.dumps({"a": 1, "b": True, "c": "x", "d": None, "e": {"f": 7, "g": "8"}})
    )
    assert content.of_xml(xml) != content.of_event(orjson.dumps({"a": 1, "b": False, "c": " x ", "e": [7, 8]}))
    assert content.of_xml(xml) == content.of_xml(xml.replace(b"true", b" 1\n").replace(b">1<", b">+001<"))
    assert content.of_event(b"no JSON") != content.of_event(b"{}")


@pytest.mark.parametrize(
    "hostile", ["<!--", "<![CDATA[", "<?", '<b c="', "<b>", "<b></c>", "<ns:orderId>", "</c>", "<b ", "<b>x</b"]
)
def test_whatever_is_repeated_costs_what_its_bytes_cost(hostile: str) -> None:
    """Half a megabyte of what begins and never ends: no page, or an item; a time that grew with its square would be hours."""
    text = page(ORDER, order("a", 1, hostile * (500_000 // len(hostile))))
    with suppress(NotAPageError):
        assert [1] == [each.marker for each in raw(ORDER, text)]
