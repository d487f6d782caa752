"""Pages that are not well-formed, read with care: a bad item costs itself, whatever is bad about it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.mplus.responses.careful import CarefulDecoder, page_decoder
from connector.mplus.responses.pages import (
    FaultError,
    Item,
    NotWellFormed,
    PageDecoder,
    PageError,
    PageSpec,
    TooLarge,
    Undecodable,
)
from connector.source.entities import ENTITIES, Entity
from tests.bench.pages import order_page
from tests.support.pos.careful_pages import EMPLOYEE, _page
from tests.support.pos.instances import TYPES, Instances, Xsd, wsdl
from tests.support.pos.page_samples import BOMB, ENVELOPE, EXTERNAL, FAULT, ROW, SMALL, SPEC

Found = list[Item | Undecodable]
ORDER = '<n:order a="&gt; > &#34;"><n:orderId>o-{0}</n:orderId><n:syncMarker>{0}</n:syncMarker>{1}</n:order>'
EMPLOYEES = PageSpec(
    ("employeeList", "employee"),
    "employee",
    (("employeeNumber", None),),
    "syncMarker",
    omit=frozenset({"password", "rfid", "imageData"}),
)
POINTS = PageSpec(("relationPointsLst",), "relationPoints", (("relationNumber", None),), "syncMarker")


def _read(page: bytes, spec: PageSpec = SPEC, *, chunk: int = 50_000, **options: int) -> Found:
    decoder, found = CarefulDecoder(spec, **options), []
    for start in range(0, len(page), chunk):
        found += decoder.feed(page[start : start + chunk])
    return found + decoder.close()


def _fast(page: bytes, spec: PageSpec = SPEC) -> Found:
    decoder = PageDecoder(spec)
    return decoder.feed(page) + decoder.close()


def _orders(*contents: str) -> str:
    return _page(*(ORDER.format(number, content) for number, content in enumerate(contents, 1)))


def _reference(item: Item | Undecodable) -> Any:
    assert isinstance(item, Item), item
    return json.loads(item.value)["reference"]


@pytest.mark.parametrize("chunk", [1, 7, 64, 100_000])
def test_a_good_page_is_the_same(chunk: int) -> None:
    """What the fast decoder reads is read alike, undecodable items included."""
    assert _read(SMALL, chunk=chunk) == _fast(SMALL)
    page = order_page(1 if chunk == 1 else 4)
    assert _read(page, chunk=chunk) == _fast(page)


CONTENTS = [
    "<n:reference><![CDATA[</n:order><n:order>&#11;&]]></n:reference>",
    "<!-- </n:order><n:order> & --><n:reference>r</n:reference>",
    "<?pi </n:order> <n:order> ?><n:reference>r</n:reference>",
    "<n:unknown><n:order><n:order/><n:syncMarker>9</n:syncMarker></n:order></n:unknown><n:reference>r</n:reference>",
    "<n:order><n:orderId>x</n:orderId></n:order>",
    "<n:orderList><n:order/></n:orderList><n:unknown><S:Body/></n:unknown>",
    '<n:unknown a="&lt;/n:order>" b=\'"&gt;"\'/>',
    '<o:order xmlns:o="urn:o">x</o:order>',
    '<n:reference xml:lang=">">&#x9;&#10;&#xFFFD;&#x10FFFF;&#0000000065;</n:reference>',
    "<n:totalInclAmount>no number</n:totalInclAmount>",
    "",
]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_looks_like_an_item_and_is_none(content: str) -> None:
    """CDATA, comments, instructions, attributes and elements that hold the item's tag break no good item, beside bad ones."""
    page = _orders("<n:reference>&bad;</n:reference>", content, content)
    first, *others = _fast(page.replace("&bad;", "").encode())
    for chunk in (1, 5, 100_000):
        bad, *found = _read(page.encode(), chunk=chunk)
        assert found == others
        assert isinstance(bad, Undecodable)
        assert (bad.marker, bad.identity) == (first.marker, first.identity)


def test_empty_and_foreign_things_between_items() -> None:
    """Self-closing items, comments and unknown elements between items are what they are in the fast decoder."""
    for page in (
        _page("<n:order/>", " <!-- <n:order> -->\n", ORDER.format(2, ""), "<n:order />", "<n:other><n:order/></n:other>text"),
        _page(),
        _page().replace("<n:orderList></n:orderList>", "<n:orderList/>"),
        _page("<!-- -->"),
        _page(ORDER.format(1, "")).replace("<n:before/>", "<n:before><n:order/><n:orderList><n:order/></n:orderList></n:before>"),
    ):
        assert _read(page.encode(), chunk=3) == _fast(page.encode())


REPLACED = [
    *(chr(number) for number in (0, 1, 8, 0x0B, 0x0C, 0x0E, 0x1D, 0x1F, 0xFFFE, 0xFFFF)),
    *("&#0;", "&#11;", "&#x1D;", "&#x1d;", "&#0011;", "&#xFFFE;", "&#65535;", "&#xD800;", "&#57343;", "&#x110000;"),
    *("&#" + "9" * 5000 + ";", "&#x" + "f" * 5000 + ";"),
]


@pytest.mark.parametrize("bad", REPLACED)
def test_what_xml_forbids_is_replaced(bad: str) -> None:
    """As it is, or as a reference in decimal or hex, also where a chunk cuts it: U+FFFD in its place."""
    page = _orders("<n:reference>0</n:reference>", f"<n:reference>é{bad}€</n:reference>", "<n:reference>𝄞</n:reference>")
    for encoding in ("utf-8", "utf-16"):
        for chunk in (1, 2, 3, 1000):
            found = _read(page.encode(encoding), chunk=chunk if len(bad) < 99 else 1000)
            assert [_reference(item) for item in found] == ["0", "é\ufffd€", "𝄞"]


def test_halves_of_surrogates_are_replaced() -> None:
    """A pair of references, and halves in UTF-8 and UTF-16, are no characters."""
    assert [_reference(item) for item in _read(_orders("<n:reference>&#xD83D;&#xDE00;</n:reference>").encode())] == ["\ufffd" * 2]
    page = _orders("<n:reference>a\ud83db</n:reference>", "<n:reference>😀</n:reference>")
    for encoding, references in (("utf-8", ["a\ufffd\ufffd\ufffdb", "😀"]), ("utf-16-le", ["a\ufffdb", "😀"])):
        for chunk in (1, 3, 1000):
            found = _read(page.encode(encoding, "surrogatepass"), chunk=chunk)
            assert [_reference(item) for item in found] == references


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8", "", None),
        ("utf-8-sig", "", "iso-8859-1"),
        ("utf-8", "UTF-8", "iso-8859-1"),
        ("utf-16", "", None),
        ("utf-16", "utf-16", "utf-8"),
        ("utf-16-le", "utf-16", None),
        ("utf-16-be", "utf-16", None),
        ("utf-16-be", "", None),
        ("iso-8859-1", "ISO-8859-1", None),
        ("iso-8859-1", "", "iso-8859-1"),
        ("windows-1252", "windows-1252", "utf-8"),
        ("windows-1252", "", "CP1252"),
        ("iso-8859-15", "iso-8859-15", None),
        ("utf-8", "US-ASCII", None),
        ("utf-8", "", "no-such"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 10, 100_000])
def test_encodings(encoding: str, declared: str, charset: str | None, chunk: int) -> None:
    """Whatever a parser reads is read; the raw bytes of a bad item stay as they came."""
    text = "é€" if encoding not in {"iso-8859-1"} else "éß"
    begins = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    page = begins + _orders(f"<n:reference>{text}\x0b</n:reference>", f"<n:reference>{text}&</n:reference>", "")
    good, bad, last = _read(page.encode(encoding), replace(SPEC, charset=charset), chunk=chunk)
    assert (_reference(good), last.marker) == (text + "\ufffd", 3)
    assert isinstance(bad, Undecodable)
    plain = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert bad.raw == ORDER.format(2, f"<n:reference>{text}&</n:reference>").encode(plain)


@pytest.mark.parametrize("declared", ["utf-8", "us-ascii", "windows-1252", "koi8-r"])
def test_bytes_of_another_encoding(declared: str) -> None:
    """A byte that is no character of the page's encoding becomes U+FFFD, and stays what it was in raw bytes."""
    orders = _orders("<n:reference>caf#</n:reference>", "<n:reference>#&</n:reference>")
    page = f'<?xml version="1.0" encoding="{declared}"?>{orders}'
    wrong = b"\x81" if declared == "windows-1252" else b"\xe9"
    good, bad = _read(page.encode().replace(b"caf#", b"caf" + wrong).replace(b"#&", wrong + b"&"), chunk=4)
    assert _reference(good) == "caf" + {"koi8-r": "И"}.get(declared, "\ufffd")
    assert isinstance(bad, Undecodable)
    assert wrong + b"&" in bad.raw


Damage = Callable[[str, st.DataObject], str]


def _within_a_text(bad: str) -> Damage:
    def damaged(item: str, data: st.DataObject) -> str:
        at = data.draw(st.sampled_from([at for at in range(1, len(item)) if item.startswith("</", at) and item[at - 1] != ">"]))
        return item[:at] + bad + item[at:]

    return damaged


def _without_a_piece(item: str, data: st.DataObject) -> str:
    """Some tag is gone, or a part of it, or the end of the item."""
    at = data.draw(st.sampled_from([at for at in range(len(item)) if item[at] == "<"]))
    end = data.draw(st.sampled_from([at + 1, at + 3, item.index(">", at) + 1, len(item) if at else 1]))
    return item[:at] + item[end:]


REPLACEABLE = [_within_a_text(bad) for bad in ("\x0b", "&#29;", "&#xDC00;", "\x00")]
BROKEN = (
    *("&", "&x;", "<", "< b", "<b", "<x/", "<n:x>", "</n:x>", "<q:x/>", '<n:x a="', "<n:x a=b/>", "<n:x a='1' a='1'/>"),
    *("<!--", "<!-- -- -->", "<![CDATA[", "<?", "<?xml version='1.0'?>", "<!DOCTYPE x>", "&#xX1;"),
)
UNREADABLE = [*map(_within_a_text, BROKEN)]
UNBOUNDED = [_without_a_piece, *map(_within_a_text, ("<n:order>", "</n:order>", "]]>"))]
"""Two of them may look like one: an item without its end, and a later one without its beginning."""


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_bad_item_costs_itself(data: st.DataObject) -> None:
    """Every item that is not damaged comes out as from the clean page, and what is damaged leaves something."""
    content = "<n:reference>r&amp;é</n:reference><n:lineList><n:line><n:lineId>{0}</n:lineId></n:line></n:lineList>"
    items = [ORDER.format(number, content.format(number)) for number in range(1, 8)]
    clean = _fast(_page(*items).encode())
    bad = data.draw(st.sets(st.integers(0, 6), min_size=1, max_size=3))
    for place in bad:
        items[place] = data.draw(st.sampled_from(REPLACEABLE + UNREADABLE))(items[place], data)
    found = _read(_page(*items).encode(), chunk=data.draw(st.integers(1, 4000)))
    others = [item for item in found if item not in clean]
    assert [item for item in found if item in clean] == [item for place, item in enumerate(clean) if place not in bad]
    assert others
    assert all(isinstance(item, Undecodable) or "\ufffd".encode() in item.value for item in others)


@pytest.mark.parametrize("damage", REPLACEABLE + UNREADABLE + UNBOUNDED)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_each_kind_of_damage(damage: Damage, data: st.DataObject) -> None:
    """The same for each kind by itself; what is only replaced keeps its marker and identity unless it stands in them."""
    items = [ORDER.format(number, "<n:reference>r</n:reference>") for number in range(1, 4)]
    clean = _fast(_page(*items).encode())
    items[1] = damage(items[1], data)
    found = _read(_page(*items).encode(), chunk=data.draw(st.integers(1, 400)))
    assert [item for item in found if item in clean] == [clean[0], clean[2]]
    assert found[0] == clean[0]
    assert found[-1] == clean[2]
    assert damage not in REPLACEABLE or len(found) == 3


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_pages(data: st.DataObject) -> None:
    """A page with bytes overwritten anywhere gives items, a PageError or a FaultError, and the same however it is cut."""
    page = bytearray(SMALL if data.draw(st.booleans()) else FAULT)
    for _ in range(data.draw(st.integers(1, 4))):
        page[data.draw(st.integers(0, len(page) - 1))] = data.draw(st.integers(0, 255))
    outcomes = []
    for chunk in (len(page), data.draw(st.integers(1, 100))):
        try:
            outcomes.append(str(_read(bytes(page), chunk=chunk)))
        except (PageError, FaultError) as error:
            outcomes.append(f"{type(error).__name__}")
    assert outcomes[0] == outcomes[1]


def test_every_end_is_missing() -> None:
    """Items without an end, all of them, are told apart by their beginnings."""
    page = "".join(ORDER.format(number, "<n:lineList>").removesuffix("</n:order>") for number in range(1, 100))
    found = _read(_page(page).encode(), chunk=100)
    assert [item.marker for item in found] == list(range(1, 100))
    assert {type(item) for item in found} == {Undecodable}


def test_a_section_that_swallows_items() -> None:
    """CDATA without an end before another that has one costs only the item that it stands in."""
    section = "<n:deliveryMethod><![CDATA[a]]></n:deliveryMethod>"
    page = _orders("", "<n:reference><![CDATA[a</n:reference>", "", "", section, "")
    found = _read(page.encode(), chunk=9)
    assert [item.marker for item in found] == [1, 2, 3, 4, 5, 6]
    assert [type(item) for item in found] == [Item, Undecodable, Item, Item, Item, Item]


@pytest.mark.parametrize(
    "many", ["<![CDATA[", "<!--", "<?x ", "<!-- --x", "&#11", "<", '<a b="', "<x>", "</x>", "<n:orderList>", "<S:Body>"]
)
@pytest.mark.parametrize("max_item_bytes", [100_000, 10_000])
def test_a_thousand_times_broken(many: str, max_item_bytes: int) -> None:
    """However often one thing is wrong with an item, it is told once, and the next item is read."""
    page = _orders("", many * (30_000 // len(many)), "").encode()
    first, bad, last = _read(page, chunk=3000, max_item_bytes=max_item_bytes)
    assert [first, last] == [item for item in _fast(_orders("", "", "").encode()) if item.marker != 2]
    assert isinstance(bad, Undecodable)
    assert (bad.marker, bad.identity) == (2, "o-2")
    assert bad.stage == ("decode" if max_item_bytes == 100_000 else "too-large")


def test_damage_between_rows() -> None:
    """Rows without a list around them are told from what stands between them, be that broken or not."""
    rows = [ROW.format(number) for number in range(1, 5)]
    newer = "<sum><relationPointsLst/><x/></sum>"
    body = '<GetRelationPointsResponse xmlns="urn:mplusqapi">{}</GetRelationPointsResponse>'
    page = ENVELOPE.format(body.format(newer + newer.join(rows) + newer))
    spec = replace(POINTS, response="GetRelationPointsResponse")
    assert _read(page.encode(), spec, chunk=11) == _fast(page.encode(), spec)
    found = _read(page.replace("<x/>", "<x>&</x>", 1).replace("<points>5", "<points>&#11;5", 1).encode(), spec, chunk=11)
    assert [item.marker for item in found] == [None, 1, 2, 3, 4]
    assert [type(item) for item in found] == [Undecodable, Undecodable, Item, Item, Item]


@pytest.mark.parametrize(
    "page",
    [
        *(b"", b"  ", b"garbage", b"<html><body>502</body></html>", b"<a/>", SMALL + b"<more/>", SMALL + SMALL),
        *(b'<?xml version="1.0" encoding="%s"?>' % name + SMALL for name in (b"no-such", b"utf-7", b"rot13", b"cp037")),
        ENVELOPE.format('<x:hello xmlns:x="urn:other"/>').encode(),
        ENVELOPE.format('<GetOrdersResponse xmlns="urn:mplusqapi"/>').encode(),
        ENVELOPE.format('<GetOrdersResponse xmlns="urn:mplusqapi"><orderList/><orderList/></GetOrdersResponse>').encode(),
        SMALL.replace(b"GetOrdersResponse>", b"GetOrderResponse>"),
        SMALL.replace(b"</n:orderList>", b"</n:orderLost>"),
        SMALL.replace(b"<n:order>", b'<n:order xmlns:n="urn:2">'),
        *(doctype.encode() + SMALL for doctype in ("<!DOCTYPE r>", BOMB, EXTERNAL, "<!-- c --><?p i?>\n<!DOCTYPE r>")),
        SMALL.replace(b"<S:Body>", b"<!DOCTYPE r><S:Body>"),
        SMALL.replace(b"<S:Body>", b"<S:Body>&"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 100_000])
def test_what_is_no_page_stays_none(page: bytes, chunk: int) -> None:
    """Another answer, or one that is broken around its items, is an error in one line, without the page's data."""
    with pytest.raises(PageError) as error:
        _read(page, chunk=chunk)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_truncated_anywhere() -> None:
    """A page that ends too early is an error, also where an item before was broken."""
    page = _orders("<n:reference>&</n:reference>", "<n:reference>é<![CDATA[x]]><!-- c --></n:reference>").encode()
    for end in range(len(page)):
        with pytest.raises(PageError) as error:
            _read(page[:end])
        assert not isinstance(error.value, (TooLarge, NotWellFormed)), page[:end]


def test_fault() -> None:
    """A SOAP fault is one, also with a character that XML forbids in its text."""
    for page in (FAULT, FAULT.replace(b"ident", b"id\x0bent"), FAULT.replace(b"ident", b"id&#11;ent")):
        with pytest.raises(FaultError, match="no such id") as error:
            _read(page, chunk=3)
        assert error.value.code == "Client.Authentication"


def test_a_failed_page_stays_failed() -> None:
    """After an error nothing more comes of a page."""
    decoder = CarefulDecoder(SPEC)
    with pytest.raises(PageError):
        decoder.feed(b"<!DOCTYPE x>" + SMALL)
    with pytest.raises(PageError):
        decoder.feed(SMALL)
    with pytest.raises(PageError):
        decoder.close()


SECRETS = [
    "<n:password>s3cret</n:password>",
    "<n:rfid>s3<n:b>cret</n:b><n:rfid>s3cret</n:rfid></n:rfid>",
    '<o:password xmlns:o="urn:o" a=">">s3cret</o:password>',
    '<n:new n:password="s3cret" a="b">x</n:new>',
    "<n:password><![CDATA[</n:password>s3cret]]></n:password>",
]
DAMAGED_SECRETS = [
    "<n:password>s3cret",
    "<n:password s3cret</n:password>",
    "<n:passwords3cret</n:password>",
    "<n:password>s3cret</n:passwort>",
    "<n:passwort>s3cret</n:password>",
    "n:password>s3cret</n:password>",
    "<n:password>s3cret/n:password>",
    "<n:pass\x0bword>s3<n:b>cret</n:b></n:password>",
    '<n:new n:password="s3cret>x</n:new>',
    "<n:new password=s3cret>x</n:new>",
    "<![CDATA[<n:password>s3cret</n:password>]]>",
    "<!-- <n:password>s3cret</n:password> -->",
    "<n:imageData>s3cret</n:image><n:rfid>s3cret",
]


@pytest.mark.parametrize("secret", SECRETS + DAMAGED_SECRETS)
@pytest.mark.parametrize("chunk", [1, 1000])
def test_credentials_are_nowhere(secret: str, chunk: int) -> None:
    """What is to be left out is in no event, and not in a bad item's raw bytes or reason, however broken it is itself."""
    page = _page(
        EMPLOYEE.format(1, ""),
        EMPLOYEE.format(2, f"&{secret}"),
        EMPLOYEE.format(3, secret),
        EMPLOYEE.format(4, ""),
        name="employee",
    )
    found = _read(page.encode(), EMPLOYEES, chunk=chunk)
    assert [item.marker for item in found if item.marker != 2 or isinstance(item, Undecodable)] == [1, 2, 3, 4]
    assert not any(b"s3" in item[3] for item in found)
    assert not any("s3" in str(item[2]) for item in found)
    assert all(isinstance(found[place], Item) for place in (0, -1))
    if secret in SECRETS:
        assert found[2] == _fast(_page(EMPLOYEE.format(3, secret), name="employee").encode(), EMPLOYEES)[0]


def test_fields_behind_an_element_left_out_are_not_lost() -> None:
    """An item whose element to leave out never ends is no item without the fields behind."""
    page = _page(EMPLOYEE.format(1, "<n:imageData>AAAA"), EMPLOYEE.format(2, ""), name="employee")
    bad, good = _read(page.encode(), EMPLOYEES)
    assert isinstance(bad, Undecodable)
    assert (bad.identity, type(good)) == ("1", Item)


@pytest.mark.parametrize(
    ("broken", "marker"),
    [
        ("<p>&<productNumber>7</productNumber><syncMarker>5</syncMarker><articleList>{}</articleList></p>", 120),
        ("<p><productNumber>7</productNumber><syncMarker>500</syncMarker><x><articleList>{}</articleList></p>", 500),
        ("<p><productNumber>7</productNumber><x><articleList>{}</articleList></p>", 120),
        ("<p><productNumber>7</productNumber>&<articleList>{}</p>", 120),
        ("<p><productNumber>7</productNumber>&</p>", None),
        ("<p><productNumber>7</productNumber>&<syncMarker>x</syncMarker><syncMarker>18446744073709551615</syncMarker></p>", None),
    ],
)
def test_marker_of_a_broken_product(broken: str, marker: int | None) -> None:
    """It is the highest of its own and its articles', not of what lies deeper in them, as far as they can be read."""
    deeper = "<preparation><method><syncMarker>999</syncMarker></method></preparation>"
    articles = "".join(f"<article><syncMarker>{number}</syncMarker>{deeper}</article>" for number in (60, 120, 90))
    page = ENVELOPE.format(f'<R xmlns="urn:mplusqapi"><l>{broken.format(articles)}</l></R>')
    spec = PageSpec(("l", "p"), "article", (("productNumber", None),), "syncMarker", marker_within="articleList")
    (found,) = _read(page.encode(), spec)
    assert isinstance(found, Undecodable)
    assert (found.marker, found.identity) == (marker, "7")


def test_identity_of_a_broken_item() -> None:
    """Its parts are read where they stand, with their defaults and characters."""
    row = "<h>&<articleNumber> +9 </articleNumber><stockId>4</stockId></h>"
    stock = PageSpec(("h",), "stock", (("branchNumber", "0"), ("articleNumber", None)), "stockId")
    (found,) = _read(ENVELOPE.format(f'<R xmlns="urn:mplusqapi">{row}</R>').encode(), stock)
    assert (found.marker, found.identity) == (4, "0-9")
    spec = PageSpec(("l", "p"), "purchaseOrder", (("no.year", None), ("no.number", None)), "syncMarker")
    number = "<year>1</year><no><year>2026</year><x><number>17</number></no><number>3</number><syncMarker>1</syncMarker>"
    (found,) = _read(ENVELOPE.format(f'<R xmlns="urn:mplusqapi"><l><p>{number}</p></l></R>').encode(), spec)
    assert found.marker == 1
    method = PageSpec(("l", "m"), "deliveryMethod", (("deliveryMethod", None),), None)
    content = "<l><m><deliveryMethod>A &amp; B</deliveryMethod>&</m></l>"
    (found,) = _read(ENVELOPE.format(f'<R xmlns="urn:mplusqapi">{content}</R>').encode(), method)
    assert (found.marker, found.identity) == (0, "A & B")


LARGE = "<n:reference>" + "x" * 200_000 + "</n:reference>"


@pytest.mark.parametrize("chunk", [999, 65_536, 1_000_000])
@pytest.mark.parametrize(
    "large",
    [
        LARGE,
        "<n:unknown><![CDATA[" + "<n:line>" * 30_000 + "]]></n:unknown>",
        "<!--" + "x" * 200_000 + "-->",
        "<n:lineList>" + "<n:line><n:lineId>1</n:lineId></n:line>" * 5_000 + "</n:lineList>",
        "é" * 60_000,
    ],
)
def test_an_item_too_large(large: str, chunk: int) -> None:
    """It is passed over, named by what could be read of it before and behind, and stops no other."""
    ends = "<n:syncMarker>2</n:syncMarker>"
    item = f"<n:order><n:orderId>o-2</n:orderId>{large}{ends}</n:order>"
    page = _page(ORDER.format(1, ""), item, ORDER.format(3, "")).encode()
    first, found, last = _read(page, chunk=chunk, max_item_bytes=100_000)
    assert found == Undecodable(2, "o-2", "more than 100000 bytes for one item", b"", "too-large")
    assert [first, last] == _fast(_page(ORDER.format(1, ""), ORDER.format(3, "")).encode())


def test_what_is_left_out_does_not_count() -> None:
    """Nor does an item that lacks its end, however much follows."""
    large = f"<n:imageData>{'A' * 300_000}</n:imageData>"
    page = _page(*(EMPLOYEE.format(number, large * 2) for number in (1, 2)), name="employee")
    assert [type(item) for item in _read(page.encode(), EMPLOYEES, max_item_bytes=100_000)] == [Item, Item]
    orders = [ORDER.format(number, f"<n:reference>{'x' * 9000}</n:reference>") for number in range(1, 40)]
    orders[3] = orders[3].removesuffix("</n:order>")
    found = _read(_page(*orders).encode(), max_item_bytes=100_000)
    assert [type(item) for item in found] == [*[Item] * 3, Undecodable, *[Item] * 35]


def test_too_much_around_the_items() -> None:
    """What is around the items is bounded, too."""
    page = ENVELOPE.format(f'<R xmlns="urn:mplusqapi">{"<a>b</a>" * 50_000}<orderList/></R>')
    with pytest.raises(TooLarge, match="more than 100000 bytes"):
        _read(page.encode(), max_item_bytes=100_000)
    (found,) = _read(_page("<n:other>" + LARGE + "</n:other>").encode(), max_item_bytes=100_000)
    assert isinstance(found, Undecodable)
    assert found.stage == "too-large"


MEMORY = """
import resource, sys
from connector.mplus.responses.careful import CarefulDecoder
from connector.source.entities import named
from tests.support.pos.careful_pages import EMPLOYEE, _page
name, megabytes = sys.argv[1:]
spec = named(["employee"])[0].page
before, behind = _page(EMPLOYEE.format(1, f"<n:{name}>|</n:{name}>"), EMPLOYEE.format(2, ""), name="employee").split("|")
decoder = CarefulDecoder(spec)
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = decoder.feed(before.encode())
for _ in range(int(megabytes) * 16):
    found += decoder.feed(b"A" * 65536)
found += decoder.feed(behind.encode()) + decoder.close()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) // 1024, *(getattr(item, "stage", "item") for item in found))
"""


def _grown(*arguments: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, check=True).stdout.split()


def test_memory_is_bounded() -> None:
    """A picture of 70 MB that is left out takes no memory, and 200 MB of text no more than an item may have."""
    grown, *stages = _grown("imageData", "70")
    assert stages == ["item", "item"]
    assert int(grown) < 20
    grown, *stages = _grown("note", "200")
    assert stages == ["too-large", "item"]
    assert int(grown) < 150


@pytest.fixture(scope="module")
def xsd() -> Xsd:
    """The WSDL's types."""
    return Xsd(wsdl())


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_pages_of_every_entity(xsd: Xsd, entity: Entity) -> None:
    """All fields of every entity, good items and bad ones, as the fast decoder reads them."""
    spec = entity.page
    items = [_named(Instances(xsd, seed).item(spec.path[-1], TYPES[entity.name]), spec, seed) for seed in range(6)]
    clean = _fast(_listed(spec, items), spec)
    assert _read(_listed(spec, items), spec, chunk=1000) == clean
    places = [item.rindex("</ns:") for item in items]
    for place, bad in ((1, "&"), (3, "<ns:x>"), (4, "&#2;")):
        items[place] = items[place][: places[place]] + bad + items[place][places[place] :]
    found = _read(_listed(spec, items), spec, chunk=1000)
    assert [found[place] for place in (0, 2, 5)] == [clean[place] for place in (0, 2, 5)]
    assert [found[place][:1] for place in (1, 3)] == [clean[place][:1] for place in (1, 3)]


def _named(item: str, spec: PageSpec, number: int) -> str:
    """With a marker in its place."""
    name = spec.marker or "none"
    before, tag, rest = item.partition(f"<ns:{name}>")
    return before + tag + str(number) + rest[rest.index("<") :] if tag else item


def _listed(spec: PageSpec, items: list[str]) -> bytes:
    opened = "".join(f"<ns:{name}>" for name in spec.path[:-1])
    closed = "".join(f"</ns:{name}>" for name in reversed(spec.path[:-1]))
    return ENVELOPE.format(f'<ns:R xmlns:ns="urn:mplusqapi">{opened}{"".join(items)}{closed}</ns:R>').encode()


def test_the_spec_chooses() -> None:
    """A careful page is read with care, every other one fast."""
    assert isinstance(page_decoder(replace(SPEC, careful=True)), CarefulDecoder)
    assert isinstance(page_decoder(SPEC), PageDecoder)
