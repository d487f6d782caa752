"""Writes schemas/{entities,commands,results}/*.json from a WSDL: `python -m schemas.generate path/to/some.wsdl`.

One self-contained JSON Schema (2020-12) per entity, per order command and per command's result.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from schemas.complex_type import EntityType, Schema
from schemas.merge import Merge, reachable
from schemas.orders import COMMANDS, command, result
from schemas.xsd import Types, UnsupportedXsdError

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Entity(NamedTuple):
    """The complex type behind an entity, and the type that older administrations answer with."""

    type: str
    older: str | None = None


ENTITIES = {
    "activity": Entity("Activity"),
    "article": Entity("Product"),
    "articleGroup": Entity("ChangedArticleGroup"),
    "deliveryMethod": Entity("DeliveryMethod"),
    "employee": Entity("Employee"),
    "invoice": Entity("Invoice"),
    "order": Entity("Order"),
    "orderCategory": Entity("OrderCategory"),
    "packingSlip": Entity("PackingSlip"),
    "proposal": Entity("Proposal"),
    "purchaseDelivery": Entity("PurchaseDeliveryV2", older="PurchaseDelivery"),
    "purchaseOrder": Entity("PurchaseOrderV2", older="PurchaseOrder"),
    "receipt": Entity("Receipt"),
    "relation": Entity("Relation"),
    "relationPoints": Entity("GetRelationPoints"),
    "stock": Entity("ArticleStockHistory"),
}


def _entity(types: Types, entity: str) -> Schema:
    type_, older = ENTITIES[entity]
    schema = EntityType(types, type_).build()
    if older:
        schema = Merge(schema, EntityType(types, older).build()).merged()
    used = reachable(schema)
    defs = {name: _tidy(body) for name, body in sorted(schema.pop("$defs").items()) if f"#/$defs/{name}" in used}
    return {**_tidy(schema), **({"$defs": defs} if defs else {})}


def _tidy(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if not (key == "required" and value == [])}


def generate(wsdl: Path) -> dict[str, str]:
    """Path within this folder → content. Raises UnsupportedXsdError when the WSDL lacks a type or is too unlike today's."""
    types = Types(wsdl)
    return {
        **{f"entities/{name}.json": _text("entity", name, _entity(types, name)) for name in ENTITIES},
        **{f"commands/{name}.json": _text("command", name, command(types, name)) for name in COMMANDS},
        **{f"results/{name}.json": _text("result", name, result(types, name)) for name in COMMANDS},
    }


def _text(kind: str, name: str, schema: Schema) -> str:
    whole = {"$schema": DIALECT, "$id": f"urn:mplus-connector:{kind}:{name}", **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m schemas.generate path/to/some.wsdl")
    try:
        files = generate(Path(sys.argv[1]))
    except (OSError, ElementTree.ParseError, UnsupportedXsdError) as error:
        sys.exit(f"no schema written: {error}")
    for name, content in files.items():
        path = Path(__file__).parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
