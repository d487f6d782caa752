"""The committed schemas are what the generator makes of the WSDL; those of entities are valid themselves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from connector import schemas as schema
from schemas.generate import ENTITIES, generate
from schemas.orders import COMMANDS, LOOKED_FOR
from schemas.xsd import UnsupportedXsdError
from tests.support.pos.instances import TYPES, Xsd, wsdl

FOLDER = Path(__file__).parents[2] / "schemas"
SMALL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:mplusqapi"
xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:mplusqapi">%s</schema></types></definitions>"""
EXTENDED = """
<complexType name="Base"><sequence>
<element name="id" type="xsd:long"/><element name="note" type="xsd:string" minOccurs="0"/></sequence></complexType>
<complexType name="%s"><complexContent><extension base="tns:Base"><sequence>
<element name="picture" type="xsd:base64Binary"/><element name="password" type="xsd:string"/>
<element name="self" type="tns:%s" minOccurs="0"/></sequence></extension></complexContent></complexType>"""


def _small(tmp_path: Path, **types: str) -> Path:
    names = [name for entity in ENTITIES.values() for name in entity if name]
    names += [LOOKED_FOR, *(name for row in COMMANDS.values() for name in (row.request, *row.results))]
    bodies = [types.get(name) or f'<complexType name="{name}"><sequence/></complexType>' for name in names]
    (tmp_path / "small.wsdl").write_text(SMALL % "".join(bodies))
    return tmp_path / "small.wsdl"


def test_committed_schemas_are_generated() -> None:
    """Every committed file is byte for byte what the generator makes of the WSDL, and there is no other."""
    files = generate(wsdl())
    assert {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*.json")} == files


@pytest.mark.parametrize("entity", sorted(ENTITIES))
def test_schemas_are_valid(entity: str) -> None:
    """Each file is a valid 2020-12 schema under its own name, complete in itself."""
    loaded = schema.load(entity)
    assert jsonschema_rs.meta.is_valid(loaded)
    assert loaded["$id"] == f"urn:mplus-connector:entity:{entity}"
    jsonschema_rs.Draft202012Validator(loaded)


@pytest.mark.parametrize("entity", sorted(ENTITIES))
def test_fields_stand_in_the_order_of_the_xsd(entity: str) -> None:
    """The properties are the type's elements, in its order."""
    names = [element.name for element in Xsd(wsdl()).elements(TYPES[entity])]
    assert list(schema.load(entity)["properties"])[: len(names)] == names


def test_no_words_of_the_vendor() -> None:
    """The schemas hold names and kinds, and no documentation."""
    for path in FOLDER.rglob("*.json"):
        assert '"description": "' not in path.read_text()


def test_extension_puts_the_base_first(tmp_path: Path) -> None:
    """An extended type has the fields of its base and then its own; what is left out by default is not required."""
    made: Any = json.loads(generate(_small(tmp_path, Activity=EXTENDED % ("Activity", "Activity")))["entities/activity.json"])
    assert list(made["properties"]) == ["id", "note", "picture", "password", "self"]
    assert made["required"] == ["id", "picture"]
    assert made["properties"]["picture"] == {"type": "string", "contentEncoding": "base64"}
    assert made["properties"]["self"] == {"$ref": "#"}


def test_older_type_adds_its_fields(tmp_path: Path) -> None:
    """Fields that only the older type has are optional, and so is what only the newer one requires, also deeper down."""
    element = '<element name="%s" type="%s"/>'
    pair = (
        ("Line", element % ("a", "xsd:int") + element % ("price", "xsd:long")),
        ("V2Line", element % ("b", "xsd:int") + element % ("price", "xsd:string")),
    )
    lines = "".join(f'<complexType name="{name}"><sequence>{fields}</sequence></complexType>' for name, fields in pair)
    whole = '<complexType name="%s"><sequence><element name="line" type="tns:%s"/></sequence></complexType>'
    types = {"PurchaseOrderV2": lines + whole % ("PurchaseOrderV2", "V2Line"), "PurchaseOrder": whole % ("PurchaseOrder", "Line")}
    made = json.loads(generate(_small(tmp_path, **types))["entities/purchaseOrder.json"])
    assert list(made["$defs"]) == ["V2Line"]
    assert list(made["$defs"]["V2Line"]["properties"]) == ["b", "price", "a"]
    assert made["$defs"]["V2Line"]["required"] == ["price"]
    assert made["$defs"]["V2Line"]["properties"]["price"] == {"type": "string"}


def test_unknown_construct_writes_nothing(tmp_path: Path) -> None:
    """A WSDL that the generator does not understand is refused by name, not half read."""
    with pytest.raises(UnsupportedXsdError, match="choice"):
        generate(_small(tmp_path, Activity='<complexType name="Activity"><choice/></complexType>'))


def test_command_reports_in_one_line(tmp_path: Path) -> None:
    """The script says in one line what is wrong with its argument."""
    script = FOLDER / "generate.py"
    done = subprocess.run([sys.executable, script, tmp_path / "missing.wsdl"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("no schema written: ")
    assert done.stderr.count("\n") == 1
