"""Pages of made-up but realistic orders, as a getOrders answer: about 10 kB of XML each, no two alike."""

import random
from collections.abc import Iterable

NAMES = ("Jansen", "de Vries", "van den Berg", "Bakker", "Visser & Zn.", "Smit", "Meijer", "de Boer", "Mulder", "Café 't Hoekje")
STREETS = ("Dorpsstraat", "Kerkstraat", "Stationsweg", "Molenlaan", "Schoolstraat", "Nieuwe Gracht", "Burgemeester Röellstraat")
CITIES = ("Amsterdam", "Utrecht", "Groningen", "'s-Hertogenbosch", "Zwolle", "Middelburg", "Sneek")
GOODS = ("Koffie verkeerd", "Appeltaart", "Broodje gezond", "Tosti ham/kaas", "Cappuccino", "Verse jus d'orange", "Uitsmijter")
VAT = ((1, 2100, "HOOG"), (2, 900, "LAAG"), (3, 0, "NUL"))
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ns="urn:mplusqapi"><SOAP-ENV:Body>'
    "<ns:GetOrdersResponse><ns:orderList>"
)
TAIL = "</ns:orderList></ns:GetOrdersResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>"

Value = int | str | None


def order_page(count: int = 1000, *, seed: int = 1, first_marker: int = 1) -> bytes:
    """A getOrders answer with `count` orders, their markers rising from `first_marker`; the same seed gives the same bytes."""
    dice = random.Random(seed)
    return (HEAD + "".join(_order(dice, first_marker + n) for n in range(count)) + TAIL).encode()


def _elements(pairs: Iterable[tuple[str, Value]]) -> str:
    return "".join(f"<ns:{name}>{_text(value)}</ns:{name}>" if value is not None else f"<ns:{name}/>" for name, value in pairs)


def _text(value: Value) -> str:
    return str(value).replace("&", "&amp;").replace("<", "&lt;")


def _nested(name: str, *parts: str) -> str:
    return f"<ns:{name}>{''.join(parts)}</ns:{name}>"


def _id(dice: random.Random) -> str:
    return f"{dice.getrandbits(64):016x}-{dice.getrandbits(32):08x}"


def _date(dice: random.Random, name: str) -> str:
    return _nested(name, _elements((("day", dice.randint(1, 28)), ("mon", dice.randint(1, 12)), ("year", 2026))))


def _moment(dice: random.Random, name: str) -> str:
    clock = (("sec", dice.randint(0, 59)), ("min", dice.randint(0, 59)), ("hour", dice.randint(7, 22)))
    day = (("day", dice.randint(1, 28)), ("mon", 7), ("year", 2026))
    return _nested(name, _elements((*clock, *day, ("isdst", "true"), ("timezone", 120))))


def _number(dice: random.Random, name: str) -> str:
    return _nested(name, _elements((("year", 2026), ("number", dice.randint(1, 99_999)))))


def _address(dice: random.Random, name: str) -> str:
    who = dice.choice(NAMES)
    return _nested(
        name,
        _elements(
            (
                ("addressId", _id(dice)),
                ("name", f"Fam. {who}"),
                ("contact", f"{dice.choice('ABCDEFGHJK')}. {who}"),
                ("address", f"{dice.choice(STREETS)} {dice.randint(1, 400)}"),
                ("zipcode", f"{dice.randint(1000, 9999)} {dice.choice('ABCDEFGH')}{dice.choice('ABCDEFGH')}"),
                ("city", dice.choice(CITIES)),
                ("country", "Nederland"),
                ("companyName", None),
            )
        ),
    )


def _line_data(dice: random.Random, price: int, quantity: int) -> str:
    code, percentage, _ = dice.choice(VAT)
    excl = price * 10_000 // (10_000 + percentage)
    return _nested(
        "data",
        _elements(
            (
                ("quantity", quantity),
                ("decimalPlaces", 0),
                ("deliveredQuantity", 0),
                ("price", price),
                ("priceExcl", excl),
                ("originalPrice", price),
                ("purchasePrice", price // 3),
                ("averagePurchasePrice", f"{price / 300:.6f}"),
                ("turnoverGroup", dice.randint(1, 40)),
                ("turnoverGroupName", f"Omzetgroep {dice.randint(1, 40)}"),
                ("vatCode", code),
                ("vatPercentage", percentage),
                ("siUnit", None),
                ("discountPercentage", 0),
                ("totalInclAmount", price * quantity),
                ("totalExclAmount", excl * quantity),
            )
        ),
    )


def _line(dice: random.Random) -> str:
    price, quantity = dice.randint(95, 12_500), dice.randint(1, 6)
    article = dice.randint(1, 250_000)
    text = f"{dice.choice(GOODS)} {dice.randint(1, 99)}"
    head = (
        ("lineId", _id(dice)),
        ("employeeNumber", dice.randint(1, 30)),
        ("articleNumber", article),
        ("pluNumber", str(article)),
    )
    tail = (("courseNumber", 0), ("lineType", "LINE-TYPE-NONE"), ("sequenceNumber", dice.randint(1, 99)))
    return _nested("line", _elements((*head, ("text", text))), _line_data(dice, price, quantity), _elements(tail))


def _vat_group(dice: random.Random, code: int, percentage: int) -> str:
    excl = dice.randint(100, 90_000)
    where = (("branchNumber", 1), ("countryCode", 528), ("countryIso3", "NLD"))
    amounts = (("vatCode", code), ("vatPercentage", percentage), ("exclAmount", excl), ("vatAmount", excl * percentage // 10_000))
    return _nested("vatGroup", _elements((*where, *amounts)))


def _payment(dice: random.Random) -> str:
    who = (
        ("branchNumber", 1),
        ("workplaceNumber", dice.randint(1, 9)),
        ("employeeNumber", 7),
        ("employeeName", dice.choice(NAMES)),
    )
    what = (("method", "PIN"), ("description", "Pinbetaling"), ("amount", dice.randint(100, 90_000)))
    return _nested(
        "payment",
        _elements((("paymentId", _id(dice)),)),
        _date(dice, "financialDate"),
        _moment(dice, "entryTimestamp"),
        _elements((*who, *what)),
    )


def _order(dice: random.Random, marker: int) -> str:
    total = dice.randint(500, 90_000)
    relation, who = dice.randint(1, 80_000), dice.choice(NAMES)
    return _nested(
        "order",
        _elements((("orderId", _id(dice)), ("extOrderId", f"web-{dice.getrandbits(40)}"))),
        _nested("invoiceIds", _elements((("id", _id(dice)),))),
        _elements((("syncMarker", marker), ("orderType", "ORDER-TYPE-SALES-ORDER"), ("entryBranchNumber", 1))),
        _elements((("employeeNumber", 7), ("employeeName", dice.choice(NAMES)))),
        _moment(dice, "entryTimestamp"),
        _elements((("relationNumber", relation), ("relationName", who), ("relationVatNumber", None))),
        _address(dice, "deliveryAddress"),
        _address(dice, "invoiceAddress"),
        _date(dice, "financialDate"),
        _elements((("financialBranchNumber", 1), ("workplaceNumber", 3), ("reference", f"Tafel {dice.randint(1, 60)}"))),
        _elements((("totalInclAmount", total), ("totalExclAmount", total * 100 // 121), ("vatMethod", "VAT-METHOD-INCLUSIVE"))),
        _nested("vatGroupList", *(_vat_group(dice, code, percentage) for code, percentage, _ in VAT)),
        _elements((("deliveryMethod", "BEZORGEN"),)),
        _date(dice, "deliveryDate"),
        _moment(dice, "deliveryPeriodBegin"),
        _moment(dice, "deliveryPeriodEnd"),
        _elements((("changeCounter", dice.randint(1, 9)), ("versionNumber", dice.randint(1, 9)), ("prepaidAmount", 0))),
        _elements((("fullyPaid", dice.choice(("true", "false"))), ("deliveryState", "ORDER-DELIVERY-STATE-NOTHING"))),
        _number(dice, "orderNumber"),
        _elements((("orderBarcode", _id(dice)), ("orderCategoryNumber", 0))),
        _nested("lineList", *(_line(dice) for _ in range(dice.randint(5, 8)))),
        _nested("paymentList", *(_payment(dice) for _ in range(dice.randint(1, 2)))),
        _nested("packingSlipIds"),
    )
