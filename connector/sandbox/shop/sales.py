"""Builders of orders, invoices, receipts, proposals and packing slips. An item's revision says how far it has come."""

from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.facts import by_share, pick
from connector.sandbox.shop.item import Draft
from connector.sandbox.shop.lines import line_list, payment_list, sale_lines, sums, total
from connector.sandbox.shop.people import person, postal

DELIVERY = ("NOTHING", "NOTHING", "PARTIAL", "COMPLETE")
COMPLETE = ("NOTHING", "NOTHING", "PARTIAL-DELIVERY-PENDING", "COMPLETE")
ALL_LINES = 99
SEEDED_EXT = "shop-"  # a prefix that no caller is likely to choose for an order of its own


def ext_order_id(number: int) -> str:
    """Two in three orders of the seeded shop came from outside."""
    return f"{SEEDED_EXT}{number}" if number % 3 else ""


def order_type(draft: Draft) -> str:
    return by_share(catalogue.ORDER_TYPES, draft.luck("order type"))[0]


def order(draft: Draft) -> dict[str, object]:
    """Revision 0 is new, 1 paid, 2 partly delivered, 3 and higher delivered and invoiced."""
    sold, stage = sale_lines(draft), min(draft.revision, 3)
    invoices = [draft.number] if stage == 3 else []
    return {
        "orderId": draft.item.identity,
        "extOrderId": ext_order_id(draft.number),
        "invoiceIds": {"id": [draft.uuid("invoice", number) for number in invoices]},
        "extInvoiceIds": {},
        **_marked(draft),
        "orderType": order_type(draft),
        **_entry(draft),
        **_seller(draft),
        **_customer(draft),
        "relationVatNumber": "",
        **_addresses(draft),
        **_booking(draft),
        **_reference(draft),
        **sums(sold),
        **_delivery(draft),
        **counters(draft),
        "prepaidAmount": total(sold) if stage else 0,
        "fullyPaid": stage > 0,
        **_states(draft),
        **_table(draft),
        "orderNumber": draft.year_number(),
        "branchOrderNumber": draft.workplace_number(),
        "orderBarcode": f"29{draft.number:010}",
        "orderCategoryNumber": pick(catalogue.ORDER_CATEGORIES, draft.number)[0],
        "orderCategoryDescription": pick(catalogue.ORDER_CATEGORIES, draft.number)[1],
        "lineList": line_list(draft, sold, {2: 2, 3: ALL_LINES}.get(stage, 0)),
        "paymentList": payment_list(draft, total(sold) if stage else 0, draft.first_changed()),
        "vatCountryCode": 528,
        "vatCountryIso3": "NLD",
        "invoiceNumbers": {"yearNumber": [draft.year_number() for _ in invoices]},
        "packingSlipIds": {"id": [draft.uuid("packingSlip", draft.number)] if stage > 1 else []},
    }


def invoice(draft: Draft) -> dict[str, object]:
    """Outstanding at first, paid from the first change on."""
    sold = sale_lines(draft.other("order", draft.number))
    paid = total(sold) if draft.revision else 0
    return {
        "invoiceId": draft.item.identity,
        "extInvoiceId": "",
        "orderIds": {"id": [draft.uuid("order", draft.number)]},
        "extOrderIds": {},
        **_marked(draft),
        "invoiceNumber": draft.year_number(),
        "invoiceBarcode": f"28{draft.number:010}",
        "invoiceType": "INVOICE-TYPE-INVOICE",
        **_seller(draft),
        **_customer(draft),
        "relationVatNumber": "",
        **_addresses(draft),
        **_booking(draft),
        **_entry(draft),
        **_reference(draft),
        "dueDate": facts.date(draft.made(14 * 1440)),
        **sums(sold),
        **counters(draft),
        "paidAmount": paid,
        "state": "INVOICE-STATE-PAID" if paid else "INVOICE-STATE-OUTSTANDING",
        "finalized": draft.revision > 1,
        "finalizedTimestamp": facts.moment(draft.changed()) if draft.revision > 1 else facts.ZERO_MOMENT,
        "lineList": line_list(draft, sold, ALL_LINES),
        "paymentList": payment_list(draft, paid, draft.first_changed()),
        "answerList": {},
        "directDebit": False,
    }


def receipt(draft: Draft) -> dict[str, object]:
    """Paid at once; a deletion voids it."""
    sold = sale_lines(draft)
    return {
        "receiptId": draft.item.identity,
        "extReceiptId": "",
        "orderIds": {},
        **_marked(draft),
        "receiptNumber": draft.workplace_number(),
        "receiptBarcode": f"27{draft.number:010}",
        "receiptType": "RECEIPT-TYPE-CREDIT-RECEIPT" if draft.item.deleted else "RECEIPT-TYPE-RECEIPT",
        **_seller(draft),
        **(_customer(draft) if draft.number % 4 == 0 else {"relationNumber": 0}),
        **_booking(draft),
        **_reference(draft),
        **sums(sold),
        **counters(draft),
        "paidAmount": total(sold),
        "state": "RECEIPT-STATE-PAID",
        "lineList": line_list(draft, sold, ALL_LINES),
        "paymentList": payment_list(draft, total(sold), draft.made()),
        "numberOfGuests": 1 + draft.luck("guests") % 6,
        "tableNumber": draft.luck("table") % 30,
    }


def proposal(draft: Draft) -> dict[str, object]:
    """Outstanding at first, an order from the first change on."""
    sold = sale_lines(draft)
    accepted = draft.revision > 0
    return {
        "proposalId": draft.item.identity,
        "extProposalId": "",
        "orderId": draft.uuid("order", draft.refer("order")) if accepted else "",
        **_marked(draft),
        "proposalNumber": draft.year_number(),
        "proposalType": "PROPOSAL-TYPE-PROPOSAL",
        **_seller(draft),
        **_customer(draft),
        **_addresses(draft),
        **_booking(draft),
        **_reference(draft),
        **sums(sold),
        "changeCounter": draft.revision,
        "state": "PROPOSAL-STATE-ORDER" if accepted else "PROPOSAL-STATE-OUTSTANDING",
        "lineList": line_list(draft, sold, 0),
        "invoiceIds": {},
    }


def packing_slip(draft: Draft) -> dict[str, object]:
    """Open at first, invoiced from the first change on."""
    sold = sale_lines(draft.other("order", draft.number))
    return {
        "packingSlipId": draft.item.identity,
        "packingSlipNumber": draft.year_number(),
        "packingSlipBarcode": f"26{draft.number:010}",
        "orderId": draft.uuid("order", draft.number),
        "extOrderId": ext_order_id(draft.number),
        "orderNumber": draft.year_number(),
        "invoiceId": None,
        **_marked(draft),
        **_seller(draft),
        **_customer(draft),
        **_addresses(draft),
        **_booking(draft),
        **_reference(draft),
        "totalInclAmount": total(sold),
        "changeCounter": draft.revision,
        "state": "PACKING-SLIP-STATE-INVOICED" if draft.revision else "PACKING-SLIP-STATE-OPEN",
        "lineList": line_list(draft, sold, ALL_LINES),
        "packingSlipType": "PACKING-SLIP-TYPE-PACKING-SLIP",
        "vatMethod": "VAT-METHOD-INCLUSIVE",
    }


def _marked(draft: Draft) -> dict[str, object]:
    return {"transactionString": f"T{draft.number:08}", "syncMarker": draft.item.marker}


def _entry(draft: Draft) -> dict[str, object]:
    return {"entryBranchNumber": facts.branch(draft.number), "entryExtBranchId": ""}


def _seller(draft: Draft) -> dict[str, object]:
    number = draft.refer("employee")
    name = person(draft.seed, "employee", number)
    return {"employeeNumber": number, "employeeName": name, "entryTimestamp": facts.moment(draft.made())}


def _customer(draft: Draft) -> dict[str, object]:
    return customer(draft.seed, draft.refer("relation"))


def customer(seed: int, number: int) -> dict[str, object]:
    """How a sale names a relation."""
    name = person(seed, "relation", number)
    return {"relationNumber": number, "relationName": name, "relationCategoryId": 1 + number % 3, "relationBankAccountNumber": ""}


def _addresses(draft: Draft) -> dict[str, object]:
    return addresses(draft.seed, draft.refer("relation"))


def addresses(seed: int, number: int) -> dict[str, object]:
    """Where a relation's goods and bills go."""
    return {"deliveryAddress": postal(seed, number, "bezorgadres"), "invoiceAddress": postal(seed, number, "factuuradres")}


def _booking(draft: Draft) -> dict[str, object]:
    return {
        "financialDate": facts.date(draft.made()),
        "financialBranchNumber": facts.branch(draft.number),
        "financialExtBranchId": "",
        "workplaceNumber": 1 + draft.number % 3,
    }


def _reference(draft: Draft) -> dict[str, object]:
    return {"reference": pick(catalogue.REMARKS, draft.luck("remark")), "activityId": ""}


def counters(draft: Draft) -> dict[str, object]:
    """What tells one state of a document from the next."""
    return {"changeCounter": draft.revision, "versionNumber": 1 + draft.revision}


def _delivery(draft: Draft) -> dict[str, object]:
    later = draft.number % 4 != 0
    return {
        "deliveryMethod": pick(catalogue.DELIVERY_METHODS, draft.number)[0],
        "deliveryDate": facts.date(draft.made(2 * 1440)) if later else facts.ZERO_DATE,
        "deliveryPeriodBegin": facts.moment(draft.made(2 * 1440)) if later else facts.ZERO_MOMENT,
        "deliveryPeriodEnd": facts.moment(draft.made(2 * 1440 + 120)) if later else facts.ZERO_MOMENT,
        "paymentMethod": "",
    }


def _states(draft: Draft) -> dict[str, object]:
    stage = min(draft.revision, 3)
    return {
        "deliveryState": f"ORDER-DELIVERY-STATE-{DELIVERY[stage]}",
        "cancelState": f"ORDER-CANCEL-STATE-{'COMPLETE' if draft.item.deleted else 'NOTHING'}",
        "completeState": f"ORDER-COMPLETE-STATE-{COMPLETE[stage]}",
    }


def _table(draft: Draft) -> dict[str, object]:
    if order_type(draft) not in catalogue.HIDDEN_ORDER_TYPES:
        return {}
    table = 1 + draft.luck("table") % 30
    return {"tableNumber": table, "tableSubNumber": 0, "tableDescription": f"Tafel {table}", "numberOfGuests": 1 + table % 6}
