"""Whole pages: cut anywhere, broken in every way, and small answers."""

import gc
import json
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.mplus.responses.pages import (
    FaultError,
    Item,
    NotWellFormed,
    PageDecoder,
    PageError,
    PageSpec,
    TooLarge,
    Undecodable,
    read_fault,
    read_numbers,
)
from tests.bench.pages import order_page
from tests.support.pos.page_samples import BOMB, ENVELOPE, EXTERNAL, FAULT, ROW, SMALL, SPEC

POINTS = PageSpec(("relationPointsLst",), "relationPoints", (("relationNumber", None),), "syncMarker")


def _read(page: bytes, spec: PageSpec = SPEC, **options: int) -> list[Item | Undecodable]:
    decoder = PageDecoder(spec, **options)
    return decoder.feed(page) + decoder.close()


def _cut(page: bytes, *at: int) -> list[Item | Undecodable]:
    decoder, found = PageDecoder(SPEC), []
    for start, end in zip((0, *at), (*at, len(page)), strict=True):
        found += decoder.feed(page[start:end])
    return found + decoder.close()


def test_cut_anywhere() -> None:
    """A page cut in two at any byte gives the same items."""
    assert all(_cut(SMALL, at) == _read(SMALL) for at in range(len(SMALL) + 1))
    assert [item.identity for item in _read(SMALL)] == ["a", "b"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 120_000), max_size=30).map(sorted), st.integers(1, 11))
def test_cut_into_any_pieces(cuts: list[int], count: int) -> None:
    """So does a page of several items in any number of pieces."""
    page = order_page(count)
    assert _cut(page, *(min(cut, len(page)) for cut in cuts)) == _read(page)


def test_truncated_anywhere() -> None:
    """A page that ends too early, at whatever byte, is an error, not one in its middle, and never a short page."""
    for end in range(len(SMALL)):
        with pytest.raises(PageError) as error:
            _read(SMALL[:end])
        assert type(error.value) is PageError


def test_items_come_as_they_complete() -> None:
    """An item is there as soon as the next one begins, and nothing is kept back longer."""
    decoder = PageDecoder(SPEC)
    page = order_page(3)
    begins = page.index(b"<ns:order>", page.index(b"<ns:order>") + 1)
    assert decoder.feed(page[: begins + 9]) == []
    assert [item.marker for item in decoder.feed(page[begins + 9 : -200])] == [1, 2]
    assert [item.marker for item in decoder.feed(page[-200:]) + decoder.close()] == [3]


@pytest.mark.parametrize(
    "doctype",
    ["<!DOCTYPE r>", BOMB, EXTERNAL, '<!DOCTYPE r SYSTEM "http://localhost/x.dtd">', "<!-- c -->\n<?p i?>\n<!DOCTYPE r>"],
)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_doctype_is_refused(doctype: str, piece: int) -> None:
    """Anywhere in the prolog and however it arrives, before anything is expanded or fetched."""
    page = ('<?xml version="1.0"?>' + doctype).encode() + SMALL
    pieces = [page[start : start + piece] for start in range(0, len(page), piece)]
    decoder = PageDecoder(SPEC)
    with pytest.raises(PageError, match="DOCTYPE"):
        any(map(decoder.feed, pieces))


def test_a_failed_page_stays_failed() -> None:
    """After an error nothing more comes of a page."""
    decoder = PageDecoder(SPEC)
    with pytest.raises(PageError):
        decoder.feed(b"<!DOCTYPE x>" + SMALL)
    with pytest.raises(PageError):
        decoder.feed(SMALL)
    with pytest.raises(PageError):
        decoder.close()


def _response(content: str, name: str = "GetOrdersResponse") -> bytes:
    return ENVELOPE.format(f'<{name} xmlns="urn:mplusqapi">{content}</{name}>').encode()


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"   ",
        b"garbage",
        b"{}",
        b"\x00\x01\xff",
        b"<html><body>502 Bad Gateway</body></html>",
        b"<a/>",
        b"<Envelope/>",
        SMALL.replace("é".encode(), b"\xff"),
        SMALL.replace(b"&amp;", b"&nbsp;"),
        SMALL.replace(b"&amp;", b"&#0;"),
        SMALL.replace(b"&amp;", b"\x08"),
        SMALL + b"<more/>",
        SMALL + SMALL,
        SMALL.replace(b"</n:order>", b"</n:older>", 1),
        b'<?xml version="1.0" encoding="utf-7"?>' + SMALL,
        b'<?xml version="1.0" encoding="no-such"?>' + SMALL,
        b'<?xml version="1.0" encoding="rot13"?>' + SMALL,
        b'<?xml version="1.0" encoding="UTF-16"?>' + SMALL,
        b" " + b'<?xml version="1.0"?>' + SMALL,
        b"<!--" + b"x" * (1 << 17) + b"-->" + SMALL,
        ENVELOPE.format("").encode(),
        ENVELOPE.replace("Body", "Head").format("<a/>").encode(),
        _response("", "a").replace(b"</S:Body>", b"<b/></S:Body>"),
        _response("<relationList/>", "GetRelationsResponse"),
        _response("<orderList/><orderList/>"),
    ],
)
def test_not_the_expected_answer(page: bytes) -> None:
    """Anything but one whole response in one SOAP envelope is an error in one line, without the page's data."""
    with pytest.raises(PageError) as error:
        _read(page)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_another_response_by_name() -> None:
    """Where the response is named, any other is refused, and unknown elements beside the list are not."""
    spec = PageSpec(SPEC.path, "order", SPEC.identity, "syncMarker", response="GetOrdersResponse")
    assert _read(_response("<moreToCome>true</moreToCome><orderList/>"), spec) == []
    with pytest.raises(PageError, match="GetRelationsResponse"):
        _read(_response("<orderList/>", "GetRelationsResponse"), spec)


@pytest.mark.parametrize(
    "content", ["<orderList/>", "<orderList>\n</orderList>", "<x><orderList/></x><orderList><!-- --></orderList>"]
)
def test_an_empty_page(content: str) -> None:
    """A page whose list is empty has no items."""
    assert _read(_response(content)) == []


@pytest.mark.parametrize("content", ["", "<x/>", "<x><orderList/></x>", '<orderList xmlns="urn:other"/>', "<relationList/>"])
def test_a_page_without_its_list_is_none(content: str) -> None:
    """The list that the WSDL requires is there, or the answer says nothing of items."""
    with pytest.raises(PageError, match="no orderList"):
        _read(_response(content))


@pytest.mark.parametrize(
    "row", ["", "<relationPointsLst><relationNumber>1</relationNumber><syncMarker>1</syncMarker></relationPointsLst>"]
)
@pytest.mark.parametrize(
    "answer", ["<getApiVersionResponse {}>{}</getApiVersionResponse>", '<x:hello xmlns:x="urn:other" {}>{}</x:hello>']
)
def test_only_the_asked_answer_is_a_page(answer: str, row: str) -> None:
    """An empty element of another name or namespace is no page of no rows, nor is one with rows."""
    spec = replace(POINTS, response="GetRelationPointsResponse")
    for names in ("", 'xmlns="urn:mplusqapi"'):
        with pytest.raises(PageError, match="where GetRelationPointsResponse of the POS was expected"):
            _read(ENVELOPE.format(answer.format(names, row)).encode(), spec)
    assert _read(_response("", "GetRelationPointsResponse"), spec) == []


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8-sig"])
def test_encodings(encoding: str) -> None:
    """The encodings of XML are read, with a byte order mark or a declaration."""
    named = encoding.removesuffix("-sig")
    page = (f'<?xml version="1.0" encoding="{named}"?>' + SMALL.decode()).encode(encoding)
    assert _read(page) == _read(SMALL)


def test_prefixes_are_all_alike() -> None:
    """The same page under other prefixes and with default namespaces gives the same items."""
    renamed = SMALL.decode().replace("<n:", "<q.w-1:").replace("</n:", "</q.w-1:").replace("xmlns:n=", "xmlns:q.w-1=")
    assert _read(renamed.encode()) == _read(SMALL)
    bare = SMALL.decode().replace("<n:", "<").replace("</n:", "</").replace("xmlns:n=", "xmlns=")
    assert [item[:3] for item in _read(bare.encode())] == [item[:3] for item in _read(SMALL)]


def test_items_without_a_list_around() -> None:
    """Items repeated right under the response are read, and what stands beside them is not one."""
    found = _read(_response(ROW.format(1) + "<count>2</count>" + ROW.format(2), "GetRelationPointsResponse"), POINTS)
    assert [(item.identity, item.marker) for item in found] == [("1", 1), ("2", 2)]


NEWER = '<moreToCome>false</moreToCome><o:paging xmlns:o="urn:other"><o:relationPoints/></o:paging><count/>'


@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_a_newer_api_adds_elements(count: int) -> None:
    """Unknown elements before, between and behind rows, or without any, stop nothing, however long the page is."""
    rows = [ROW.format(number) for number in range(1, count + 1)]
    spec = replace(POINTS, response="GetRelationPointsResponse")
    page = _response(NEWER + NEWER.join(rows) + NEWER, "GetRelationPointsResponse")
    assert [item.marker for item in _read(page, spec)] == list(range(1, count + 1))
    assert not count or len(_read(page, POINTS)) == count
    for piece in (7, 1000):
        decoder = PageDecoder(spec)
        found = [item for at in range(0, len(page), piece) for item in decoder.feed(page[at : at + piece])] + decoder.close()
        assert len(found) == count


@pytest.mark.parametrize("spec", [SPEC, POINTS])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("whole", [True, False])
def test_another_namespace_is_another_api(spec: PageSpec, count: int, whole: bool) -> None:
    """A page whose items, or all they hold, lie in another namespace fails as a whole: they are no bad items."""
    rows = "".join(_foreign(spec, number, whole=whole) for number in range(1, count + 1))
    lists = f"<orderList>{rows}</orderList>" if len(spec.path) > 1 else rows
    with pytest.raises(PageError, match="another namespace"):
        _read(_response(lists), spec)
    good = "<order><orderId>a</orderId><syncMarker>9</syncMarker></order>" if spec is SPEC else ROW.format(9)
    page = _response(f"<orderList>{rows}{good}</orderList>" if len(spec.path) > 1 else rows + good)
    assert [type(item) for item in _read(page, spec)] == [*[Undecodable] * count, Item]


def _foreign(spec: PageSpec, number: int, *, whole: bool) -> str:
    item, (identity, _) = spec.path[-1], spec.identity[0]
    values = f"<o:{identity}>{number}</o:{identity}><o:syncMarker>{number}</o:syncMarker>"
    tag = f"o:{item}" if whole else item
    return f'<{tag} xmlns:o="urn:mplusqapi:2">{values}</{tag}>'


def test_errors_have_kinds() -> None:
    """An error in the middle, something too large and an end that is missing ask for different things."""
    kinds = {
        NotWellFormed: SMALL.replace(b"&amp;", b"&#x1D;"),
        TooLarge: _response("<orderList><order><reference>" + "x" * 400_000),
        PageError: SMALL[:-20],
    }
    for kind, page in kinds.items():
        with pytest.raises(PageError) as error:
            _read(page, max_item_bytes=100_000)
        assert type(error.value) is kind


@pytest.mark.parametrize("piece", [1, 3, 100_000])
def test_charset_of_the_header(piece: int) -> None:
    """What a page is in its byte order mark or declaration says, else the HTTP header; a charset nobody knows is none."""
    text = SMALL.decode()
    for page, charset in (
        (text.encode("iso-8859-1"), "ISO-8859-1"),
        (text.replace("é", "€").encode("cp1252"), "Windows-1252"),
        (text.encode(), "us-ascii"),
        (text.encode(), "no-such"),
        (text.encode("utf-16"), "utf-8"),
        (f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode(), "iso-8859-1"),
        (f'<?xml version="1.0"?>{text}'.encode("iso-8859-1"), "iso-8859-1"),
    ):
        decoder = PageDecoder(replace(SPEC, charset=charset))
        found = [item for at in range(0, len(page), piece) for item in decoder.feed(page[at : at + piece])] + decoder.close()
        assert found == _read((text.replace("é", "€") if "1252" in charset else text).encode())
    for end in range(len(SMALL)):
        with pytest.raises(PageError):
            _read(SMALL[:end], replace(SPEC, charset="iso-8859-1"))


def test_list_without_markers() -> None:
    """Items of a list without markers have marker 0."""
    spec = PageSpec(("deliveryMethodList", "deliveryMethod"), "deliveryMethod", (("deliveryMethod", None),), None)
    method = "<deliveryMethod><deliveryMethod>HALEN</deliveryMethod><description/><buttonText/></deliveryMethod>"
    (found,) = _read(_response(f"<deliveryMethodList>{method}</deliveryMethodList>"), spec)
    assert isinstance(found, Item)
    assert (found.marker, found.identity, json.loads(found.value)["description"]) == (0, "HALEN", "")


def test_fault() -> None:
    """A SOAP fault is raised with its code, without prefix, and its text on one line."""
    with pytest.raises(FaultError) as error:
        _read(FAULT)
    assert (error.value.code, error.value.text) == ("Client.Authentication", "no such ident")


def test_read_fault() -> None:
    """A fault is recognised in a whole body; every other body is none."""
    assert read_fault(FAULT) == ("Client.Authentication", "no such ident")
    for other in (SMALL, FAULT[:-1], b"", b"<html/>", b"<!DOCTYPE x>" + FAULT):
        assert read_fault(other) is None


def test_read_numbers() -> None:
    """The integers of a small answer by name; what is no integer is skipped."""
    body = _response("<orderSyncMarker>12</orderSyncMarker><x/><y>1.5</y><z><a>1</a></z><minorNumber> 3 </minorNumber>", "R")
    assert read_numbers(body) == {"orderSyncMarker": 12, "minorNumber": 3}
    for broken in (body[:-1], b"", SMALL[:50], b"<!DOCTYPE x>" + body):
        with pytest.raises(PageError):
            read_numbers(broken)
    with pytest.raises(FaultError):
        read_numbers(FAULT)


def test_an_item_too_large() -> None:
    """What does not end within the limit is refused, be it one text, many elements or something before the list."""
    for content in (
        "<orderList><order><reference>" + "x" * 400_000,
        "<orderList><order>" + "<a>b</a>" * 50_000,
        "<a>b</a>" * 50_000,
    ):
        with pytest.raises(TooLarge, match="more than 100000 bytes"):
            PageDecoder(SPEC, max_item_bytes=100_000).feed(_response(content + "|").partition(b"|")[0])


def test_memory_is_flat() -> None:
    """However long the page is, no more than a few items are held, with the cyclic GC off."""
    page = order_page(20)
    head, tail = page.index(b"<ns:order>"), page.index(b"</ns:orderList>")
    gc.disable()
    tracemalloc.start()
    try:
        decoder = PageDecoder(SPEC)
        decoder.feed(page[:head])
        peaks = []
        for _ in range(6):
            tracemalloc.reset_peak()
            for _ in range(10):
                decoder.feed(page[head:tail])
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peaks[-1] < peaks[1] * 1.1 + 100_000


def test_no_garbage_cycles() -> None:
    """Decoding pages, good and bad, leaves nothing for the cyclic GC."""
    gc.collect()
    gc.disable()
    try:
        for page in (SMALL, FAULT, SMALL[:-9], b"<!DOCTYPE x>", order_page(5)):
            try:
                _read(page)
            except (PageError, FaultError):
                continue
        assert gc.collect() == 0
    finally:
        gc.enable()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_pages(data: st.DataObject) -> None:
    """A page with bytes overwritten gives items or a PageError, and nothing else."""
    page = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        page[data.draw(st.integers(0, len(page) - 1))] = data.draw(st.integers(0, 255))
    try:
        _read(bytes(page))
    except (PageError, FaultError):
        return
