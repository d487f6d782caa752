"""The schemas of order commands and of their results (docs/commands.md).

A command is an envelope around the fields of the POS's own request. It is strict: unknown fields are refused at every level, and
a value is a value, never null. `default` says what is sent for an element that the XSD requires and a command need not give.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.complex_type import ComplexType, Schema
from schemas.xsd import Field, Types

BITS = {"byte": 8, "short": 16, "int": 32, "long": 64, "integer": 64}
UNSIGNED_BITS = {"unsignedByte": 8, "unsignedShort": 16, "unsignedInt": 32}
DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"
XML_TEXT = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]*$"
RESERVED_IDS = {"type": "string", "pattern": "^(redrive|lane):"}  # keys that the ledger gives to something else
TEXT: Schema = {"type": "string"}
LONGEST_NAME = 255
"""Characters of what an order is called: of its commands' key too."""

NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "format": "int32" if high < 1 << 31 else "int64", "minimum": low, "maximum": high}


SCALARS: dict[str, Schema] = {
    "string": TEXT,
    "base64": {"type": "string", "contentEncoding": "base64"},
    "base64Binary": {"type": "string", "contentEncoding": "base64"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "string", "format": "decimal", "pattern": DECIMAL},
    "date": {"type": "string", "format": "date"},
    "dateTime": {"type": "string", "format": "date-time"},
    "SoapMplusDate": {"type": "string", "format": "date", "x-mplus": "SoapMplusDate"},
    "SoapMplusDateTime": {"type": "string", "format": "date-time", "x-mplus": "SoapMplusDateTime"},
    **{name: _integer(-(1 << bits - 1), (1 << bits - 1) - 1) for name, bits in BITS.items()},
    **{name: _integer(0, (1 << bits) - 1) for name, bits in UNSIGNED_BITS.items()},
    "unsignedLong": _integer(0, (1 << 63) - 1),  # JSON beyond that is refused
}
GIVEN = {"Payment": {"method"}, "OrderDeliveryLine": {"lineId"}}
"""Texts that must truly be given, by type; any other text that the XSD requires may be sent empty."""


class CommandType(ComplexType):
    """A value as a command gives it."""

    scalars = SCALARS

    def object(self, name: str) -> Schema:
        fields, given = self.types.fields(name), GIVEN.get(name, set())
        properties = {field.name: self._given(field) if field.name in given else self._default(field) for field in fields}
        required = [field.name for field in fields if field.required and "default" not in properties[field.name]]
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def enum(self, values: list[str]) -> Schema:
        return {"type": "string", "enum": values}

    def _given(self, field: Field) -> Schema:
        return {**self.property(field), "minLength": 1}

    def _default(self, field: Field) -> Schema:
        schema = self.property(field)
        if field.required and schema == TEXT:
            return {**schema, "default": ""}
        if field.required and "wrapped" in schema.get("xml", {}):
            return {**schema, "default": []}
        return schema


class Command(NamedTuple):
    """The POS's request, its results of all versions used, what must be given, and further rules for single fields."""

    request: str
    results: tuple[str, ...]
    required: tuple[str, ...] = ()
    rules: Mapping[str, Schema] = MappingProxyType({})
    named_in_order: bool = False


NAMES = {"orderId": NAME, "extOrderId": NAME}
NAMED: Schema = {"anyOf": [{"required": [field]} for field in NAMES]}
NOT_GIVEN: Schema = {"enum": [""]}  # the POS gives a new order its orderId: one that a copied order brings is another's
NEW_ORDER: Schema = {
    "required": ["extOrderId", "relationNumber"],
    "properties": {"extOrderId": {"minLength": 1, "maxLength": LONGEST_NAME}, "orderId": NOT_GIVEN},
}
OLD_ORDER: Schema = {
    "anyOf": [{"required": [field], "properties": {field: {"minLength": 1}}} for field in NAMES],
    "properties": {field: {"maxLength": LONGEST_NAME} for field in NAMES},
}
COMMANDS = {
    "createOrder": Command("CreateOrderV3Request", ("CreateOrderResult",), ("order",), {"order": NEW_ORDER}, named_in_order=True),
    "updateOrder": Command("UpdateOrderV2Request", ("UpdateOrderResult",), ("order",), {"order": OLD_ORDER}, named_in_order=True),
    "cancelOrder": Command("CancelOrderRequest", ("CancelOrderResult",)),
    "payOrder": Command("PayOrderV2Request", ("PayOrderResult",), ("prepay", "paymentList")),
    "deliverOrder": Command("OrderDelivery", ("DeliverOrderResult", "DeliverOrderV2Result"), rules={"lineList": {"minItems": 1}}),
}
OURS = {"idempotencyKey", "orderId"}  # of a request: the connector's own, or part of the envelope
REASONS = ["INVALID-COMMAND", "EXPIRED", "CLIENT-FAULT", "OUTCOME-UNKNOWN"]
LOOKED_FOR = "GetOrderResult"


def command(types: Types, name: str) -> Schema:
    """The schema of a command's message."""
    row, made = COMMANDS[name], CommandType(types)
    fields = [field for field in types.fields(row.request) if field.name not in OURS]
    names = {} if row.named_in_order else NAMES
    return {
        "title": name,
        "type": "object",
        "properties": _envelope(name) | names | {field.name: _ruled(made.property(field), row.rules, field) for field in fields},
        "required": ["commandId", "command", *row.required],
        **({} if row.named_in_order else NAMED),
        "additionalProperties": False,
        **({"$defs": dict(sorted(made.defs.items()))} if made.defs else {}),
    }


def _envelope(name: str) -> Schema:
    id_: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": XML_TEXT, "not": RESERVED_IDS}
    return {"commandId": id_, "command": {"const": name}, "expiresAt": {"type": "string", "format": "date-time"}}


def _ruled(schema: Schema, rules: Mapping[str, Schema], field: Field) -> Schema:
    return {**schema, **rules.get(field.name, {})}


def result(types: Types, name: str) -> Schema:
    """The schema of what is answered to a command."""
    properties = _result(name, _reasons(types, name))
    return {"title": f"{name} result", "type": "object", "properties": properties, "required": list(properties)}


def _reasons(types: Types, name: str) -> list[str]:
    own = [code for enum in COMMANDS[name].results for code in types.enum(enum) or []]
    return [*own, *(code for code in types.enum(LOOKED_FOR) or [] if code.endswith("-NOT-FOUND")), *REASONS]


def _result(name: str, reasons: list[str]) -> dict[str, Any]:
    return {
        "commandId": TEXT,
        "command": {"const": name},
        "outcome": {"type": "string", "enum": ["succeeded", "rejected", "unknown"]},
        "reason": {"type": "string", "enum": reasons},
        "message": TEXT,
        "orderId": TEXT_OR_NULL,
        "extOrderId": TEXT_OR_NULL,
        "invoiceId": TEXT_OR_NULL,
        "packingSlipId": TEXT_OR_NULL,
        "syncMarker": {"type": ["integer", "null"], "format": "int64"},
        "attempts": {"type": "integer", "minimum": 0},
        "reconciled": {"type": "boolean"},
        "duplicate": {"type": "boolean"},
        "at": {"type": "string", "format": "date-time"},
    }
