"""Builders of purchase orders and deliveries as V2 shows them, and what V1 shows of them."""

from collections.abc import Mapping
from decimal import Decimal

from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.facts import pick
from connector.sandbox.shop.item import Draft
from connector.sandbox.shop.lines import TURNOVER, SaleLine, sale_lines, sums
from connector.sandbox.shop.people import person, postal

ONLY_V2 = ("lineNumber", "exchangeRateBuyPrice", "exchangeRateBuyPriceDecimalPlaces", "barcodeSalesPrice", "orderUnit")


def purchase_order(draft: Draft) -> dict[str, object]:
    """Open at first, delivered from the second change on."""
    bought, arrived = sale_lines(draft), draft.revision > 1
    return {
        "purchaseOrderNumber": draft.year_number(),
        "extPurchaseOrderId": "" if draft.number % 2 else f"po-{draft.number}",
        "orderDate": facts.date(draft.made()),
        "deliveryDate": facts.ZERO_DATE if draft.number % 5 == 0 else facts.date(draft.made(3 * 1440)),
        **_parties(draft),
        **_totals(bought),
        "reference": pick(catalogue.REMARKS, draft.luck("remark")),
        "isPrinted": draft.revision > 0,
        "state": f"PURCHASE-ORDER-STATE-{'COMPLETELY-DELIVERED' if arrived else 'OPEN'}",
        "vatMethod": "VAT-METHOD-EXCLUSIVE",
        "vatGroupList": sums(bought)["vatGroupList"],
        **_counted(draft, bought),
        "lineList": {"line": [_order_line(line, line.quantity if arrived else 0) for line in bought]},
        "purchaseDeliveryNumbers": {"yearNumber": [draft.year_number()] if arrived else []},
        "deliveryAddress": postal(draft.seed, draft.refer("relation"), "magazijn"),
    }


def purchase_delivery(draft: Draft) -> dict[str, object]:
    received = sale_lines(draft)
    return {
        "purchaseDeliveryNumber": draft.year_number(),
        "extPurchaseDeliveryId": "",
        "deliveryDate": facts.date(draft.made(3 * 1440)),
        **_parties(draft),
        **_totals(received),
        "reference": f"pakbon {draft.number}",
        "isPrinted": draft.revision > 0,
        "vatGroupList": sums(received)["vatGroupList"],
        **_counted(draft, received),
        "lineList": {"line": [_delivery_line(line) for line in received]},
        "purchaseOrderNumber": draft.year_number(),
        "deliveryAddress": postal(draft.seed, draft.refer("relation"), "magazijn"),
    }


def as_v1(value: object) -> object:
    """V1 knows no line numbers or exchange rates, and its purchase price is a number of cents instead of a decimal text."""
    if isinstance(value, list):
        return [as_v1(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    kept = {name: as_v1(each) for name, each in value.items() if name not in ONLY_V2}
    return kept | {"purchasePrice": int(Decimal(str(kept["purchasePrice"])) * 100)} if "purchasePrice" in kept else kept


def _parties(draft: Draft) -> dict[str, object]:
    supplier, buyer = draft.luck("supplier") % len(catalogue.SUPPLIERS), draft.refer("employee")
    return {
        "entryTimestamp": facts.moment(draft.made()),
        "relationNumber": 1 + supplier,
        "relationName": catalogue.SUPPLIERS[supplier],
        "relationCategoryId": 4,
        "relationBankAccountNumber": "",
        "branchNumber": facts.branch(draft.number),
        "extBranchId": "",
        "employeeNumber": buyer,
        "employeeName": person(draft.seed, "employee", buyer),
    }


def _totals(bought: list[SaleLine]) -> dict[str, object]:
    every = sums(bought)
    return {"totalInclAmount": every["totalInclAmount"], "totalExclAmount": every["totalExclAmount"]}


def _counted(draft: Draft, bought: list[SaleLine]) -> dict[str, object]:
    return {"syncMarker": draft.item.marker, "versionNumber": 1 + draft.revision, "lineListCount": len(bought)}


def _ordered(line: SaleLine) -> dict[str, object]:
    return {
        "lineNumber": line.place + 1,
        "articleNumber": line.ware.article,
        "pluNumber": str(line.ware.article),
        "text": line.ware.name,
        "supplierArticleNumber": f"L-{line.ware.article}",
        "branchNumber": 1,
    }


def _order_line(line: SaleLine, delivered: int) -> dict[str, object]:
    amounts = {"quantity": line.quantity, "decimalPlaces": line.decimals or None, "deliveredQuantity": delivered}
    packs = {"quantityOfPackagesOrdered": Decimal(line.quantity).scaleb(-line.decimals), "orderUnit": Decimal("1.00")}
    data = {**amounts, "deliveredDecimalPlaces": line.decimals or None, **_costs(line), **packs}
    return {**_ordered(line), "deliveryDate": facts.ZERO_DATE, "data": data}


def _delivery_line(line: SaleLine) -> dict[str, object]:
    amounts = {"deliveredQuantity": line.quantity, "deliveredDecimalPlaces": line.decimals or None}
    sales_price = {"barcodeSalesPrice": Decimal(line.ware.price).scaleb(-2)}
    packs = {"quantityOfPackagesDelivered": Decimal(line.quantity).scaleb(-line.decimals)}
    return {**_ordered(line), "data": {**amounts, **_costs(line), **sales_price, **packs}}


def _costs(line: SaleLine) -> dict[str, object]:
    return {
        "purchasePrice": f"{Decimal(line.ware.price * 100 // 3).scaleb(-4):f}",
        "turnoverGroup": line.ware.group + 1,
        "turnoverGroupName": catalogue.GROUPS[line.ware.group],
        "turnoverGroupType": TURNOVER,
        "vatCode": line.ware.vat_code,
        "vatPercentage": line.ware.vat,
        "siUnit": line.ware.unit,
        "discountPercentage": 0,
        "totalInclAmount": line.total,
        "totalExclAmount": line.total_excl,
        "exchangeRateBuyPrice": 1,
        "exchangeRateBuyPriceDecimalPlaces": 0,
        "quantityInPackaging": Decimal("1"),
        "packagingType": "doos",
    }
