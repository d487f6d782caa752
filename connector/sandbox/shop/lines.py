"""The lines, VAT groups and payments of a sale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.facts import by_share, pick
from connector.sandbox.shop.item import Draft
from connector.sandbox.shop.wares import Ware, articles_of, ware, without_vat

TURNOVER = "TURNOVER-GROUP-TYPE-TURNOVER"


@dataclass(frozen=True, slots=True)
class SaleLine:
    """`quantity` counts in 10 ** -decimals."""

    place: int
    ware: Ware
    quantity: int
    decimals: int

    @property
    def total(self) -> int:
        """Cents with VAT."""
        scale = int(10**self.decimals)
        return (self.ware.price * self.quantity + scale // 2) // scale

    @property
    def total_excl(self) -> int:
        return without_vat(self.total, self.ware.vat)


def sale_lines(draft: Draft) -> list[SaleLine]:
    """Five to eight lines; the same ones at every revision."""
    return [sale_line(draft, place) for place in range(5 + draft.luck("lines") % 4)]


def sale_line(draft: Draft, place: int) -> SaleLine:
    luck = draft.luck("line", place)
    choice = articles_of(1 + luck % max(1, draft.items))
    chosen = ware(pick(choice, luck >> 32))
    if chosen.weighed:
        return SaleLine(place, chosen, 200 + (luck >> 48) % 1800, 3)
    return SaleLine(place, chosen, 1 + (luck >> 48) % 4, 0)


def line_list(draft: Draft, sold: Sequence[SaleLine], delivered: int) -> dict[str, object]:
    """The lines as elements; the first `delivered` of them have been delivered."""
    return {"line": [line_element(draft, line, line.quantity if line.place < delivered else 0) for line in sold]}


def line_element(draft: Draft, line: SaleLine, delivered: int) -> dict[str, object]:
    """A sold line; `delivered` counts like its quantity."""
    return {
        "lineId": facts.uuid_text(draft.item.identity, line.place),
        "employeeNumber": draft.refer("employee"),
        "articleNumber": line.ware.article,
        "pluNumber": str(line.ware.article),
        "text": line.ware.name,
        "supplierArticleNumber": "",
        "data": _line_data(line, delivered),
        "lineType": "LINE-TYPE-NONE",
        "preparationList": {"line": _preparations(draft, line)},
        "sequenceNumber": line.place + 1,
    }


def _preparations(draft: Draft, line: SaleLine) -> list[dict[str, object]]:
    if draft.luck("preparation", line.place) % 6:
        return []
    data = {"quantity": 1, "price": 0, "averagePurchasePrice": Decimal("0"), "totalInclAmount": 0, "totalExclAmount": 0}
    return [{"articleNumber": 9001, "text": "zonder ui", "data": data, "lineType": "LINE-TYPE-PREPARATION"}]


def _line_data(line: SaleLine, delivered: int) -> dict[str, object]:
    return {
        "quantity": line.quantity,
        "decimalPlaces": line.decimals or None,
        "deliveredQuantity": delivered,
        "deliveredDecimalPlaces": line.decimals or None,
        "cancelledQuantity": 0,
        "cancelledDecimalPlaces": None,
        **_prices(line.ware),
        "turnoverGroup": line.ware.group + 1,
        "turnoverGroupName": catalogue.GROUPS[line.ware.group],
        "turnoverGroupType": TURNOVER,
        "vatCode": line.ware.vat_code,
        "vatPercentage": line.ware.vat,
        "siUnit": line.ware.unit,
        "discountPercentage": 0,
        "discountAmount": 0,
        "totalInclAmount": line.total,
        "totalExclAmount": line.total_excl,
        "priceType": "PRICE-TYPE-ARTICLE",
    }


def _prices(sold: Ware) -> dict[str, object]:
    return {
        "price": sold.price,
        "priceExcl": sold.price_excl,
        "originalPrice": sold.price,
        "purchasePrice": sold.price // 3,
        "averagePurchasePrice": Decimal(sold.price * 10_000 // 3).scaleb(-4),
    }


def sums(sold: Sequence[SaleLine]) -> dict[str, object]:
    """Totals in cents and their VAT groups."""
    return {
        "totalInclAmount": total(sold),
        "totalExclAmount": sum(line.total_excl for line in sold),
        "vatMethod": "VAT-METHOD-INCLUSIVE",
        "vatGroupList": {"vatGroup": vat_groups([(line.ware.vat_code, line.total, line.total_excl) for line in sold])},
    }


def total(sold: Sequence[SaleLine]) -> int:
    return sum(line.total for line in sold)


def vat_groups(sold: Sequence[tuple[int, int, int]]) -> list[dict[str, object]]:
    """One row per VAT code, from the (code, total with VAT, total without) of each line."""
    return [_vat_group(code, [line for line in sold if line[0] == code]) for code in sorted({line[0] for line in sold})]


def _vat_group(code: int, sold: Sequence[tuple[int, int, int]]) -> dict[str, object]:
    excl = sum(line[2] for line in sold)
    return {
        "branchNumber": 1,
        "countryCode": 528,
        "countryIso3": "NLD",
        "vatCode": code,
        "vatPercentage": catalogue.VAT[code],
        "exclAmount": excl,
        "vatAmount": sum(line[1] for line in sold) - excl,
        "accountNumber": 1500 + code,
    }


def payment_list(draft: Draft, amount: int, at: datetime) -> dict[str, object]:
    """Nothing paid, one payment, or (one in eight) two."""
    if not amount:
        return {"payment": []}
    first = amount // 2 if draft.luck("split") % 8 == 0 else amount
    parts = [part for part in (first, amount - first) if part]
    return {"payment": [_payment(draft, place, part, at) for place, part in enumerate(parts)]}


def _payment(draft: Draft, place: int, amount: int, at: datetime) -> dict[str, object]:
    luck = draft.luck("payment", place)
    method, description, kind, account, _ = by_share(catalogue.PAYMENTS, luck)
    return {
        "paymentId": facts.uuid_text(draft.item.identity, "payment", place),
        "financialDate": facts.date(at),
        "entryTimestamp": facts.moment(at),
        "branchNumber": facts.branch(draft.number),
        "workplaceNumber": 1,
        "employeeNumber": draft.refer("employee"),
        "employeeName": "",
        "method": method,
        "description": description,
        "amount": amount,
        "paymentMethodType": kind,
        "accountNumber": account,
        "externalReference": f"tr_{luck % 10**10:010}" if method == "IDEAL" else "",
    }
