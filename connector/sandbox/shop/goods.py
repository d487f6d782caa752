"""Builders of products with their articles, article groups and stock changes."""

from collections.abc import Sequence
from decimal import Decimal

from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.facts import pick
from connector.sandbox.shop.item import Draft
from connector.sandbox.shop.lines import sale_line
from connector.sandbox.shop.wares import Ware, articles_of, ware, without_vat

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def product(draft: Draft) -> dict[str, object]:
    """One in five carries no marker of its own: then its articles' highest counts."""
    first = ware(articles_of(draft.number)[0])
    return {
        "productNumber": draft.number,
        "syncMarker": draft.item.marker if draft.number % 5 else None,
        "description": first.name,
        "extraText": "",
        "articleList": {"article": [_article(draft, *each) for each in zip(*_articles(draft), strict=True)]},
        "groupNumbers": [first.group + 1],
        "sortOrderGroupList": {"sortOrderGroup": [{"groupNumber": first.group + 1, "sortOrder": draft.number}]},
    }


def _articles(draft: Draft) -> tuple[list[Ware], Sequence[int]]:
    return [ware(number) for number in articles_of(draft.number)], draft.item.parts


def _article(draft: Draft, sold: Ware, marker: int) -> dict[str, object]:
    return {
        "articleNumber": sold.article,
        "extArticleId": "",
        "pluNumber": str(sold.article),
        "syncMarker": marker,
        "changeTimestamp": facts.moment(draft.changed()),
        "createTimestamp": facts.moment(draft.made()),
        "active": not draft.item.deleted,
        "description": sold.name,
        "colour": "",
        "size": sold.size,
        "invoiceText": sold.name,
        "receiptText": sold.name[:20],
        "displayText": sold.name[:16],
        "barcode": f"87{sold.article:011}",
        "barcodeDate": facts.ZERO_DATE,
        "contentUnit": sold.unit,
        "contentQuantity": 1000 if sold.weighed else 1,
        "contentQuantityDecimalPlaces": 3 if sold.weighed else None,
        **_terms(draft, sold),
        **_extras(draft, sold),
    }


def _terms(draft: Draft, sold: Ware) -> dict[str, object]:
    price = sold.price + 5 * draft.revision
    return {
        "turnoverGroup": sold.group + 1,
        "vatCode": sold.vat_code,
        "vatPercentage": sold.vat,
        "purchasePrice": sold.price // 3,
        "priceIncl": price,
        "priceExcl": without_vat(price, sold.vat),
        "siUnit": sold.unit,
        "supplierRelationName": pick(catalogue.SUPPLIERS, draft.number),
        "webshop": sold.group != 10,
        "categoryId": sold.group + 1,
        "stockArticle": not sold.weighed,
        "specialPrice": "PRICE-NORMAL",
    }


def _extras(draft: Draft, sold: Ware) -> dict[str, object]:
    allergen = {"id": 1, "name": "Gluten", "abbreviation": "GLU", "type": "NC-TYPE-ALLERGEN", "presence": "NC-PRESENCE-PRESENT"}
    return {
        "imageList": {"image": [_image(draft)] if draft.number % 10 == 0 else []},
        "customFieldList": {},
        "barcodeList": {"barcode": [{"barcodeId": sold.article, "barcode": f"87{sold.article:011}", "isCurrent": True}]},
        "askFor": "ASK-FOR-NOTHING",
        "nutritionalCharacteristics": {"allergenList": {"allergen": [allergen] if sold.group < 4 else []}},
        "discontinued": False,
        "ageCheckMinimumAge": 18 if sold.group == 10 else None,
        "oldestBestBeforeDate": "2026-12-31" if sold.group == 11 else None,
        "priceDeviationMin": Decimal("-0.10"),
        "priceDeviationMax": Decimal("12.500"),
    }


def _image(draft: Draft) -> dict[str, object]:
    name = f"product-{draft.number}"
    return {
        "imageId": draft.number,
        "imageName": f"{name}.png",
        "imageHash": f"{draft.luck('image'):032x}",
        "imagePath": "",
        "imageUrl": f"https://example.nl/{name}.png?maat=groot&v={draft.revision}",
        "imageData": PIXEL,
        "imageDataResult": "LOAD-FILE-OK",
        "thumbHash": f"{draft.luck('thumb'):032x}",
        "thumbPath": "",
        "thumbUrl": "",
        "thumbData": PIXEL,
        "thumbDataResult": "LOAD-FILE-OK",
        "imageWidth": 1,
        "imageHeight": 1,
        "thumbWidth": 1,
        "thumbHeight": 1,
        "createdTimestamp": facts.moment(draft.made()),
        "changedTimestamp": facts.ZERO_MOMENT,
    }


def article_group(draft: Draft) -> dict[str, object]:
    products = range(draft.number, max(draft.number, draft.items) + 1, len(catalogue.GROUPS))
    return {
        "groupNumber": draft.number,
        "parentGroupNumber": draft.number // len(catalogue.GROUPS),
        "syncMarker": draft.item.marker,
        "name": f"{pick(catalogue.GROUPS, draft.number - 1)} {draft.number // len(catalogue.GROUPS) or ''}".strip(),
        "text": "" if draft.revision == 0 else f"versie {draft.revision}",
        "subGroupNumbers": {},
        "sortOrder": draft.number * 10 + draft.revision,
        "productNumbers": {"number": list(products[:20])},
        "isDeleted": draft.item.deleted,
    }


def stock(draft: Draft) -> dict[str, object]:
    """A sold line, or a correction where no document caused the change."""
    branch = None if draft.number % 11 == 0 else facts.branch(draft.number)
    head: dict[str, object] = {"stockId": draft.item.marker, "timestamp": facts.moment(draft.made()), "branchNumber": branch}
    return {**head, **(_correction(draft) if draft.item.origin is None else _movement(draft, *draft.item.origin))}


def _correction(draft: Draft) -> dict[str, object]:
    before, after = draft.luck("before") % 50, draft.luck("after") % 50
    return {
        "articleNumber": pick(articles_of(draft.refer("article")), draft.number),
        "amountChanged": after - before,
        "type": "STOCK-HISTORY-TYPE-CORRECTION",
        "correctionNumber": draft.year_number(),
        "beforeCorrectionQuantity": before,
        "afterCorrectionQuantity": after,
    }


def _movement(draft: Draft, entity: str, number: int, place: int) -> dict[str, object]:
    sold = sale_line(draft.other(entity, number), place)
    came_in = entity == "purchaseDelivery"
    return {
        "articleNumber": sold.ware.article,
        "amountChanged": sold.quantity if came_in else -sold.quantity,
        "decimalPlaces": sold.decimals or None,
        "type": "STOCK-HISTORY-TYPE-DELIVERY" if came_in else "STOCK-HISTORY-TYPE-SALES",
        **_document(draft, entity, number),
    }


def _document(draft: Draft, entity: str, number: int) -> dict[str, object]:
    """How a stock change names the document that caused it, in the order of the elements."""
    if entity == "purchaseDelivery":
        return {"deliveryNumber": facts.year_number(number, draft.item.made)}
    if entity == "receipt":
        return {"receiptId": draft.uuid(entity, number), "receiptNumber": facts.workplace_number(number, draft.item.made)}
    return {f"{entity}Id": draft.uuid(entity, number)}
