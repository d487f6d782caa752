"""What becomes of single values and elements."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mplus.responses.elements import item_converter
from connector.mplus.responses.pages import Item, PageDecoder, PageSpec, Undecodable
from connector.mplus.responses.values import DATE_TIMES, DATES, InvalidValue

SPEC = PageSpec(("orderList", "order"), "order", (("orderId", None),), "syncMarker")
HEAD = (
    '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:mplusqapi" xmlns:o="urn:other" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><S:Body>'
)
TAIL = "</S:Body></S:Envelope>"


def _read(content: str, spec: PageSpec = SPEC) -> list[Item | Undecodable]:
    decoder = PageDecoder(spec)
    return decoder.feed(f"{HEAD}<R>{content}</R>{TAIL}".encode()) + decoder.close()


def _order(content: str, spec: PageSpec = SPEC) -> Item | Undecodable:
    (found,) = _read(f"<orderList><order><orderId>o-1</orderId><syncMarker>7</syncMarker>{content}</order></orderList>", spec)
    return found


def _value(content: str) -> Any:
    item = _order(content)
    assert isinstance(item, Item), item
    return {name: value for name, value in json.loads(item.value).items() if name not in {"orderId", "syncMarker"}}


def _reason(content: str) -> str:
    found = _order(content)
    assert isinstance(found, Undecodable), found
    assert (found.marker, found.identity) == (7, "o-1")
    return found.reason


def _moment(sec: object = 5, hour: object = 2, day: str = "25-10-2026", rest: str = "") -> str:
    dd, mm, yyyy = day.split("-")
    clock = f"<sec>{sec}</sec><min>30</min><hour>{hour}</hour>"
    return f"<entryTimestamp>{clock}<day>{dd}</day><mon>{mm}</mon><year>{yyyy}</year>{rest}</entryTimestamp>"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" -7\n", -7),
        ("+5", 5),
        ("007", 7),
        ("-0", 0),
        ("", None),
        (" ", None),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_integers(text: str, value: int | None) -> None:
    """Sign, leading zeros and surrounding whitespace are the XSD's; nothing is no number."""
    assert _value(f"<totalInclAmount>{text}</totalInclAmount>") == {"totalInclAmount": value}


@pytest.mark.parametrize(
    "text", ["1_0", "١٢", "1.0", "1e3", "0x10", "--1", "+", "1 2", "\u00a012", "18446744073709551616", "9" * 5000, "x"]
)
def test_not_integers(text: str) -> None:
    """What Python's int() would take and the XSD does not is an error of that item, named by its path."""
    assert _reason(f"<totalInclAmount>{text}</totalInclAmount>").startswith("totalInclAmount: ")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False), (" true ", True), ("", None)]
)
def test_booleans(text: str, value: bool | None) -> None:
    """Both spellings of the XSD."""
    assert _value(f"<fullyPaid>{text}</fullyPaid>") == {"fullyPaid": value}


@pytest.mark.parametrize("text", ["TRUE", "yes", "2", "t"])
def test_not_booleans(text: str) -> None:
    """No other word is a boolean."""
    assert "not a boolean" in _reason(f"<fullyPaid>{text}</fullyPaid>")


@pytest.mark.parametrize(
    ("text", "value"), [("1.50", "1.50"), (" -0.5 ", "-0.5"), (".5", ".5"), ("+7", "+7"), ("1" * 60, "1" * 60), ("", None)]
)
def test_decimals_stay_text(text: str, value: str | None) -> None:
    """A decimal keeps every digit."""
    line = "<lineList><line><data><averagePurchasePrice>{}</averagePurchasePrice></data></line></lineList>"
    assert _value(line.format(text))["lineList"][0]["data"]["averagePurchasePrice"] == value


@pytest.mark.parametrize("text", ["1,5", "1e3", "NaN", ".", "1.2.3", "INF"])
def test_not_decimals(text: str) -> None:
    """Neither floats' words nor commas; the path leads to the element."""
    line = "<lineList><line><data><averagePurchasePrice>{}</averagePurchasePrice></data></line></lineList>"
    assert _reason(line.format(text)).startswith("lineList/line[0]/data/averagePurchasePrice: ")


@pytest.mark.parametrize(
    ("rest", "value"),
    [
        ("<isdst>true</isdst><timezone>120</timezone>", "2026-10-25T02:30:05+02:00"),
        ("<isdst>true</isdst><timezone>-330</timezone>", "2026-10-25T02:30:05-05:30"),
        ("<isdst>true</isdst>", "2026-10-25T02:30:05+02:00"),
        ("<isdst>0</isdst><timezone/>", "2026-10-25T02:30:05+01:00"),
        ("", "2026-10-25T02:30:05+02:00"),
    ],
)
def test_wall_clock_in_the_hour_that_comes_twice(rest: str, value: str) -> None:
    """The offset is the given one, else the shop's, and isdst tells the two hours apart."""
    assert _value(_moment(rest=rest)) == {"entryTimestamp": value}


def test_summer_and_winter() -> None:
    """Without an offset the shop's of that day is taken, also for xsd:dateTime."""
    assert _value(_moment(day="1-7-2026"))["entryTimestamp"] == "2026-07-01T02:30:05+02:00"
    assert _value(_moment(day="1-1-2026"))["entryTimestamp"] == "2026-01-01T02:30:05+01:00"
    assert _value(_moment(day="29-3-2026", rest="<isdst>1</isdst>"))["entryTimestamp"] == "2026-03-29T02:30:05+02:00"


@pytest.mark.parametrize("content", [_moment(day="0-0-0"), "<entryTimestamp/>", "<entryTimestamp>\n</entryTimestamp>"])
def test_no_moment(content: str) -> None:
    """A zero date and an empty element are null."""
    assert _value(content) == {"entryTimestamp": None}


ODD_DAYS = ("0-1-2026", "31-0-2026", "1-1-0", "+0- 0 -2026", "30-2-2026", "32-1-2026", "1-13-2026", "1-1-12026")


@pytest.mark.parametrize(
    "content",
    [
        *(_moment(day=day) for day in ODD_DAYS),
        _moment(day="1-1-99999999999999999"),
        _moment(hour=25),
        _moment(hour=""),
        _moment(hour=-1),
        _moment(sec=62),
        _moment(rest="<timezone>1500</timezone>"),
        _moment(day="31-12-9999", hour=24),
    ],
)
def test_odd_moments_cost_no_item(content: str) -> None:
    """A moment with a zero part, or that no calendar or clock has, is none; so do the vendor's own clients read the former."""
    assert _value(content) == {"entryTimestamp": None}


@pytest.mark.parametrize("day", ODD_DAYS)
def test_odd_days_cost_no_item(day: str) -> None:
    """The same of a date."""
    dd, mm, yyyy = day.split("-")
    content = f"<deliveryDate><year>{yyyy}</year><day>{dd}</day><mon>{mm}</mon></deliveryDate><reference>r</reference>"
    assert _value(content) == {"deliveryDate": None, "reference": "r"}


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (_moment(hour=24, sec=0).replace("<min>30", "<min>0"), "2026-10-26T00:00:00+01:00"),
        (_moment(hour=23, sec=60).replace("<min>30", "<min>59"), "2026-10-26T00:00:00+01:00"),
        (_moment(hour=" +7 ", rest="<timezone>+840</timezone>"), "2026-10-25T07:30:05+14:00"),
        (_moment(day="1-1-1", rest="<timezone>-840</timezone>"), "0001-01-01T02:30:05-14:00"),
    ],
)
def test_rare_moments_are_said(content: str, value: str) -> None:
    """Midnight at the day's end, leap seconds, far offsets and years: all that RFC 3339 can say is said."""
    assert _value(content) == {"entryTimestamp": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-31T24:00:00", "2026-02-01T00:00:00+01:00"),
        ("2026-12-31T24:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00Z"),
        (" 2026-01-01T10:20:30+14:00\n", "2026-01-01T10:20:30+14:00"),
        ("2026-01-01T10:20:30.123456789-14:00", "2026-01-01T10:20:30.123456789-14:00"),
        ("2026-00-10T10:20:30", None),
        ("0000-01-01T00:00:00Z", None),
        ("2026-01-00T00:00:00+02:00", None),
        ("2026-02-30T00:00:00", None),
        ("12026-01-01T00:00:00Z", None),
        ("-0044-03-15T12:00:00Z", None),
        ("9999-12-31T24:00:00Z", None),
        ("99999999999999999999-01-01T00:00:00", None),
        ("2026-01-01T25:00:00", None),
        ("2026-01-01T10:20:30+25:00", None),
    ],
)
def test_dates_and_times_of_the_xsd(text: str, value: str | None) -> None:
    """All of xsd:dateTime is taken, what RFC 3339 cannot say as null."""
    assert DATE_TIMES[text] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-07-01+14:00", "2026-07-01"),
        (" 2026-07-01Z\t", "2026-07-01"),
        ("2026-07-00", None),
        ("0000-07-01", None),
        ("2026-02-29", None),
        ("-0001-07-01", None),
        ("12026-07-01Z", None),
    ],
)
def test_dates_of_the_xsd(text: str, value: str | None) -> None:
    """And all of xsd:date."""
    assert DATES[text] == value


@pytest.mark.parametrize(
    "text", ["yesterday", "1-7-2026", "2026-7-1", "20260701", "2026-07-01T", "2026-07-01T10:20", "٢٠٢٦-07-01"]
)
def test_what_is_no_date(text: str) -> None:
    """Text that is not written as a date is an error: another API must not pass as one without dates."""
    for table in (DATES, DATE_TIMES):
        with pytest.raises(InvalidValue):
            table[text]


@pytest.mark.parametrize(
    "content",
    [
        _moment(hour="1_0"),
        _moment(day="1.0-1-2026"),
        _moment(rest="<timezone>x</timezone>"),
        _moment(rest="<isdst>maybe</isdst>"),
        _moment(rest="<msec>1</msec>"),
        _moment(rest="<year>2026</year>"),
        _moment(day="1-1-99999999999999999999"),
        "<entryTimestamp>2026-01-01T10:00:00</entryTimestamp>",
        "<financialDate><day>1<x/></day><mon>1</mon><year>2026</year></financialDate>",
        "<financialDate><day>1</day><mon>1</mon></financialDate>",
    ],
)
def test_no_such_moment(content: str) -> None:
    """What is not written as a date, or in parts that are not those of a date, is an error and no guess: it is another API."""
    assert _reason(content).split(":")[0] in {"entryTimestamp", "financialDate"}


def test_empty_elements() -> None:
    """Empty text is "", an empty list [], any other empty element null, an absent one absent; nil is null everywhere."""
    content = "<reference/><lineList/><deliveryAddress/><totalInclAmount/><fullyPaid></fullyPaid><deliveryDate/>"
    content += "<deliveryMethod xsi:nil='true'/>"
    assert _value(content) == {
        "reference": "",
        "lineList": [],
        "deliveryAddress": None,
        "totalInclAmount": None,
        "fullyPaid": None,
        "deliveryDate": None,
        "deliveryMethod": None,
    }


def test_text_is_kept_exactly() -> None:
    """Whitespace, CDATA, references, and the text around comments and processing instructions all stay."""
    content = "<reference> a<!-- c -->b <![CDATA[<&>]]>\t&#233;<?pi x?>z\n </reference>"
    assert _value(content) == {"reference": " ab <&>\té" + "z\n "}


def test_comments_between_elements_are_nothing() -> None:
    """Comments and processing instructions in lists and objects leave no trace."""
    assert _value("<!-- a --><invoiceIds><!-- b --><id>1</id><?pi?><id>2</id></invoiceIds>") == {"invoiceIds": ["1", "2"]}


def test_unknown_elements_keep_their_place() -> None:
    """Text as string, nested as object, repeated as array, of whatever namespace; in a list as an object of their own."""
    content = (
        "<newText> x </newText><newThing><a>1</a><b><c/></b></newThing><o:many>1</o:many><o:many>2</o:many><newNil xsi:nil='1'/>"
        "<invoiceIds><id>1</id><note>n</note></invoiceIds><orderNumber><year>2026</year><number>1</number><suffix>B</suffix></orderNumber>"
        "<mixed>one<b>2</b>three</mixed>"
    )
    assert _value(content) == {
        "newText": " x ",
        "newThing": {"a": "1", "b": {"c": ""}},
        "many": ["1", "2"],
        "newNil": None,
        "invoiceIds": ["1", {"note": "n"}],
        "orderNumber": {"year": 2026, "number": 1, "suffix": "B"},
        "mixed": {"b": "2", "#text": "onethree"},
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<reference>a</reference><reference>b</reference>", "more than one reference"),
        ("<reference>a</reference><o:reference>b</o:reference>", "more than one reference"),
        ("<totalInclAmount>1<x/></totalInclAmount>", "totalInclAmount: elements where a value is expected"),
        ("<reference>a<b>c</b></reference>", "reference: elements where a value is expected"),
        ("<invoiceIds><id>a<b/></id></invoiceIds>", "invoiceIds/id[0]: elements where a value is expected"),
        ("<invoiceIds>a</invoiceIds>", "invoiceIds: text where elements are expected"),
        ("<deliveryAddress>Dorpsstraat 1</deliveryAddress>", "deliveryAddress: text where elements are expected"),
        ("<lineList/><lineList/>", "more than one lineList"),
    ],
)
def test_nothing_is_lost_silently(content: str, reason: str) -> None:
    """What has no place in the value makes the item undecodable, with its marker and identity still read."""
    assert _reason(content).startswith(reason)


@pytest.mark.parametrize("depth", [300, 5_000, 200_000])
def test_deep_nesting_costs_one_item(depth: int) -> None:
    """An item nested beyond reason is undecodable, and its raw XML still whole."""
    found = _order("<x>" * depth + "</x>" * depth)
    assert isinstance(found, Undecodable)
    assert found.raw.count(b"<x>") == depth


def test_other_items_go_on() -> None:
    """An undecodable item between two others holds up neither."""
    order = "<order><orderId>{0}</orderId><syncMarker>{0}</syncMarker><totalInclAmount>{1}</totalInclAmount></order>"
    found = _read(f"<orderList>{order.format(1, 5)}{order.format(2, 'x')}{order.format(3, 5)}</orderList>")
    assert [type(item).__name__ for item in found] == ["Item", "Undecodable", "Item"]
    assert [(item.marker, item.identity) for item in found] == [(1, "1"), (2, "2"), (3, "3")]


@pytest.mark.parametrize(
    ("order", "marker", "identity", "reason"),
    [
        ("<order><orderId>a</orderId></order>", None, "a", "no syncMarker"),
        ("<order><orderId>a</orderId><syncMarker/></order>", None, "a", "no syncMarker"),
        ("<order><orderId>a</orderId><syncMarker>18446744073709551615</syncMarker></order>", None, "a", "no syncMarker"),
        ("<order><orderId/><syncMarker>3</syncMarker></order>", 3, None, "no orderId"),
        ("<order/>", None, None, "no syncMarker"),
        ("<order><orderId>a</orderId><orderId>b</orderId><syncMarker>3</syncMarker></order>", 3, None, "more than one orderId"),
        ("<other>x</other>", None, None, "other where order was expected"),
    ],
)
def test_without_marker_or_identity(order: str, marker: int | None, identity: str | None, reason: str) -> None:
    """An item that cannot be placed is undecodable, with what could be read."""
    (found,) = _read(f"<orderList>{order}</orderList>")
    assert isinstance(found, Undecodable)
    assert (found.marker, found.identity, found.reason) == (marker, identity, reason)


def test_identity_of_parts_and_defaults() -> None:
    """Parts are joined by "-", a nested one by its path, an absent one by its default."""
    number = "<purchaseOrderNumber><year>2026</year><number>17</number></purchaseOrderNumber>"
    spec = PageSpec(
        ("l", "p"), "purchaseOrder", (("purchaseOrderNumber.year", None), ("purchaseOrderNumber.number", None)), "syncMarker"
    )
    (order,) = _read(f"<l><p>{number}<syncMarker>1</syncMarker></p></l>", spec)
    stock = PageSpec(("h",), "stock", (("branchNumber", "0"), ("articleNumber", None)), "stockId")
    rows = _read(
        "<h><stockId>4</stockId><articleNumber>9</articleNumber></h>"
        "<h><stockId>5</stockId><branchNumber>2</branchNumber><articleNumber>9</articleNumber></h>",
        stock,
    )
    assert [item.identity for item in (order, *rows)] == ["2026-17", "0-9", "2-9"]
    assert [item.marker for item in rows] == [4, 5]


def test_marker_of_the_members() -> None:
    """An item has the highest of its own marker and its members', also when it cannot be decoded."""
    article = "<article><syncMarker>{}</syncMarker>{}</article>"
    spec = PageSpec(("l", "p"), "article", (("productNumber", None),), "syncMarker", marker_within="articleList")
    page = "<l>" + "".join(
        f"<p><productNumber>{n}</productNumber>{own}"
        f"<articleList>{article.format(5, '')}{article.format(9, odd)}</articleList></p>"
        for n, own, odd in (
            (1, "", ""),
            (2, "<syncMarker>3</syncMarker>", ""),
            (3, "", "<syncMarker>9</syncMarker>"),
            (4, "<syncMarker>20</syncMarker>", "<syncMarker>9</syncMarker>"),
        )
    )
    assert [item.marker for item in _read(page + "</l>", spec)] == [9, 9, 9, 20]


def test_deletion() -> None:
    """The field named for it tells a deleted item."""
    spec = PageSpec(("l", "g"), "articleGroup", (("groupNumber", None),), "syncMarker", deleted="isDeleted")
    group = "<g><groupNumber>{}</groupNumber><syncMarker>1</syncMarker><isDeleted>{}</isDeleted></g>"
    found = _read(f"<l>{group.format(1, 'true')}{group.format(2, 'false')}{group.format(3, '')}</l>", spec)
    assert [isinstance(item, Item) and item.deleted for item in found] == [True, False, False]


def test_credentials_are_nowhere() -> None:
    """What is left out is neither in a decoded item nor in the raw XML of an undecodable one, at no depth and in no namespace."""
    spec = PageSpec(("l", "e"), "employee", (("employeeNumber", None),), "syncMarker", omit=frozenset({"password", "rfid"}))
    secrets = (
        '<password>s3cret</password><rfid>s3cret</rfid><new o:password="s3cret"><o:password>s3<b>cret</b></o:password></new>'
    )
    employee = "<e><employeeNumber>{0}</employeeNumber><syncMarker>{1}</syncMarker>" + secrets + "<password>s3cret</password></e>"
    good, bad = _read(f"<l>{employee.format(1, 2)}{employee.format(2, 'x')}</l>", spec)
    assert isinstance(good, Item)
    assert json.loads(good.value) == {"employeeNumber": 1, "syncMarker": 2, "new": {}}
    assert isinstance(bad, Undecodable)
    assert b"s3" not in bad.raw + bad.reason.encode()
    assert ElementTree.fromstring(bad.raw).findtext("{urn:mplusqapi}employeeNumber") == "2"


def test_raw_is_the_item() -> None:
    """The raw XML of an undecodable item is well-formed and says the same as the page."""
    found = _order('<totalInclAmount a="&quot;1" xsi:nil="false">x &lt;&amp; <o:y>é</o:y> tail</totalInclAmount>')
    assert isinstance(found, Undecodable)
    element = ElementTree.fromstring(found.raw).find("{urn:mplusqapi}totalInclAmount")
    assert element is not None
    assert list(element.items()) == [("a", '"1'), ("{http://www.w3.org/2001/XMLSchema-instance}nil", "false")]
    assert (element.text, element[0].text, element[0].tail) == ("x <& ", "é", " tail")


@given(st.integers(-(1 << 63), (1 << 64) - 1), st.sampled_from(["", " ", "\n\t"]))
def test_any_64_bit_integer(number: int, space: str) -> None:
    """Every integer of 64 bits survives."""
    assert _value(f"<totalInclAmount>{space}{number}{space}</totalInclAmount>") == {"totalInclAmount": number}


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")))
def test_any_text(text: str) -> None:
    """Every text that XML can carry survives as it is."""
    assert _value(f"<reference>{text.replace('&', '&amp;').replace('<', '&lt;')}</reference>".replace("]]>", "]]&gt;")) == {
        "reference": text
    }


TREES = st.recursive(
    st.text("ab ", max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), st.lists(inner, min_size=1, max_size=3), min_size=1),
)


def _xml(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    return "".join(f"<{name}>{_xml(child)}</{name}>" for name, children in tree.items() for child in children)


def _expected(tree: Any) -> Any:
    if isinstance(tree, str):
        return tree
    return {
        name: [_expected(child) for child in children] if len(children) > 1 else _expected(children[0])
        for name, children in tree.items()
    }


@given(TREES)
def test_any_unknown_element(tree: Any) -> None:
    """Whatever an unknown element holds is in the value."""
    assert _value(f"<novelty>{_xml(tree)}</novelty>") == {"novelty": _expected(tree)}


def test_closures_are_compiled_once() -> None:
    """The same schema and omissions give the same converter."""
    assert item_converter("order", frozenset()) is item_converter("order", frozenset())
    assert item_converter("order", frozenset()) is not item_converter("order", frozenset({"rfid"}))
