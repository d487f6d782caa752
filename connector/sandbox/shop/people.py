"""Builders of relations, employees, relation points and activities."""

from decimal import Decimal

from connector.sandbox.shop import catalogue, facts
from connector.sandbox.shop.facts import pick
from connector.sandbox.shop.item import Draft


def person(seed: int, kind: str, number: int) -> str:
    luck = facts.digest(seed, kind, number, "name")
    return f"{pick(catalogue.FIRST_NAMES, luck)} {pick(catalogue.LAST_NAMES, luck >> 16)}"


def address(seed: int, number: int) -> dict[str, object]:
    """Street, zipcode, city and country of a relation."""
    luck = facts.digest(seed, "relation", number, "address")
    zipcode, city = pick(catalogue.CITIES, luck)
    street = f"{pick(catalogue.STREETS, luck >> 8)} {1 + (luck >> 16) % 180}"
    return {"address": street, "zipcode": zipcode, "city": city, "country": "Nederland"}


def postal(seed: int, number: int, label: str) -> dict[str, object]:
    """A relation's address as documents carry it."""
    return {
        "addressId": facts.uuid_text(seed, "address", number, label),
        "name": person(seed, "relation", number),
        "contact": "",
        **address(seed, number),
        "label": label,
        "companyName": pick(catalogue.COMPANIES, number),
        "supplierInformation": "",
    }


def birthday(draft: Draft) -> dict[str, int]:
    """One in three is not known, which the POS writes as a zero date."""
    luck = draft.luck("birthday")
    return facts.ZERO_DATE if luck % 3 == 0 else {"day": 1 + luck % 28, "mon": 1 + luck % 12, "year": 1950 + luck % 55}


def stamps(draft: Draft) -> dict[str, object]:
    return {"createTimestamp": facts.moment(draft.made()), "changeTimestamp": facts.moment(draft.changed())}


def relation(draft: Draft) -> dict[str, object]:
    return {
        "relationNumber": draft.number,
        "extRelationId": "" if draft.number % 4 else f"web-klant-{draft.number}",
        "syncMarker": draft.item.marker,
        **stamps(draft),
        "active": not draft.item.deleted,
        "name": person(draft.seed, "relation", draft.number),
        **address(draft.seed, draft.number),
        **_reach(draft),
        "points": draft.luck("points") % 500,
        "balance": 0,
        "discountPercentage": 500 if draft.number % 9 == 0 else 0,
        "categoryId": 1 + draft.number % 3,
        "categoryIds": {"category": [1 + draft.number % 3, 9][: draft.number % 3]},
        **_account(draft),
    }


def _reach(draft: Draft) -> dict[str, object]:
    return {
        "deliveryAddress": "",
        "deliveryZipcode": "",
        "deliveryCity": "",
        "deliveryCountry": "",
        "contact": "",
        "telephone": f"020-{1_000_000 + draft.luck('phone') % 9_000_000}",
        "mobile": "" if draft.number % 2 else f"06-{10_000_000 + draft.luck('mobile') % 90_000_000}",
        "email": f"klant{draft.number}@example.nl",
        "website": "",
        "birthDate": birthday(draft),
        "relationCode": f"R{draft.number:05}",
    }


def _account(draft: Draft) -> dict[str, object]:
    return {
        "bankAccountNumber": f"NL{draft.luck('iban') % 90 + 10}RABO0{draft.luck('account') % 10**9:09}",
        "creditLimit": 50_000,
        "paymentWithinDays": 14,
        "vatNumber": "",
        "extraText": f"{pick(catalogue.REMARKS, draft.luck('remark'))} ({draft.revision}x gewijzigd)",
        "defaultVatMethod": "VAT-METHOD-INCLUSIVE",
        "alwaysEmailReceipt": draft.number % 5 == 0,
        "customFieldList": {"customField": _custom_fields(draft)},
        "companyName": pick(catalogue.COMPANIES, draft.number),
        "cardNumbers": [f"27{draft.number:08}"] if draft.number % 3 == 0 else [],
        "invoiceCredit": Decimal(draft.luck("credit") % 100_000) / 1000,
        "accountBalance": Decimal(-draft.revision) / 4,
        "directDebit": draft.number % 6 == 0,
        "canEarnPoints": True,
    }


def _custom_fields(draft: Draft) -> list[dict[str, object]]:
    text: dict[str, object] = {
        "fieldName": "Nieuwsbrief",
        "dataType": "DATA-TYPE-STRING",
        "isRequired": False,
        "strValue": "ja & graag",
    }
    since: dict[str, object] = {"fieldName": "Klant sinds", "dataType": "DATA-TYPE-DATE", "dateValue": facts.date(draft.made())}
    return [text, since][: draft.number % 3]


def employee(draft: Draft) -> dict[str, object]:
    name = person(draft.seed, "employee", draft.number)
    return {
        "employeeNumber": draft.number,
        "extEmployeeId": "",
        "syncMarker": draft.item.marker,
        **stamps(draft),
        "name": name,
        "username": f"{name.split()[0].lower()}{draft.number}",
        "password": f"{draft.luck('password') % 10_000:04}",
        "birthDate": birthday(draft),
        "phoneMobile": f"06-{10_000_000 + draft.luck('mobile') % 90_000_000}",
        "email": f"medewerker{draft.number}@example.nl",
        "rfid": draft.luck("rfid") % 10**10,
        "extraText": f"rooster {draft.revision}",
        "active": not draft.item.deleted,
        "categoryId": 1,
        "category": "Bediening" if draft.number % 2 else "Bakkerij",
        "categoryIds": {"category": [1]},
    }


def relation_points(draft: Draft) -> dict[str, object]:
    points = draft.luck("points") % 500 + draft.luck(draft.revision) % 100 - 50
    return {"relationNumber": draft.number, "points": points, "syncMarker": draft.item.marker}


def activity(draft: Draft) -> dict[str, object]:
    day, hours = draft.number * 1440, 60 * (2 + draft.revision % 4)
    open_end = draft.number % 7 == 0
    return {
        "activityId": draft.item.identity,
        "syncMarker": draft.item.marker,
        **stamps(draft),
        "activityNumber": f"A{draft.number:04}",
        "description": f"{pick(catalogue.EVENTS, draft.number)} {person(draft.seed, 'relation', draft.refer('relation'))}",
        "location": pick(catalogue.PLACES, draft.number),
        "employeeStartTimestamp": facts.moment(draft.made(day)),
        "employeeEndTimestamp": facts.ZERO_MOMENT if open_end else facts.moment(draft.made(day + hours)),
        "managerStartTimestamp": facts.moment(draft.made(day - 60)),
        "managerEndTimestamp": facts.ZERO_MOMENT if open_end else facts.moment(draft.made(day + hours + 60)),
        "isDeleted": draft.item.deleted,
        "activityTypeId": 1 + draft.number % 3,
        "activityTypeDescription": "Zaalverhuur",
    }
