"""Every field of every entity type, generated from the XSD, decodes as an independent decoder says."""

import json
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import pytest
from lxml import etree

from connector import schemas as schema
from connector.mplus.operations import OPERATIONS
from connector.mplus.responses.elements import item_converter
from connector.mplus.responses.pages import Item, PageDecoder, PageSpec
from connector.source.entities import ENTITIES, Entity
from tests.mplus.independent import decode
from tests.support.pos.instances import OLDER, TYPES, Instances, Xsd, wsdl

CASES = sorted({**TYPES, **{f"{entity}:V1": type_ for entity, type_ in OLDER.items()}}.items())
PICTURES = frozenset({"imageData", "thumbData", "password", "rfid"})
NAMESPACES = 'xmlns:ns="urn:mplusqapi" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.fixture(scope="module")
def xsd() -> Xsd:
    """The WSDL's types."""
    return Xsd(wsdl())


def _declared(item: str) -> str:
    return item.replace("<ns:item", f"<ns:item {NAMESPACES}", 1)


def _both(xsd: Xsd, case: tuple[str, str], item: str, omit: frozenset[str] = frozenset()) -> tuple[Any, Any]:
    xml = _declared(item)
    ours = item_converter(case[0].partition(":")[0], omit).whole(ElementTree.fromstring(xml))
    return ours, decode(xsd, case[1], etree.fromstring(xml.encode()), omit)


def _v1_prices(value: Any) -> Any:
    """In the V2 types `purchasePrice` is text, in V1 a number: the merged schema has text."""
    return json.loads(json.dumps(value), object_hook=lambda found: {name: _text(name, part) for name, part in found.items()})


def _text(name: str, value: Any) -> Any:
    return None if name == "purchasePrice" else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("chance_of_empty", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_instances_decode_like_the_independent_decoder(
    xsd: Xsd, case: tuple[str, str], chance_of_empty: float, seed: int
) -> None:
    """All fields, filled and empty, have the value that the contract gives them."""
    ours, theirs = _both(xsd, case, Instances(xsd, seed, chance_of_empty=chance_of_empty).item("item", case[1]))
    if ":" in case[0]:
        ours, theirs = _v1_prices(ours), _v1_prices(theirs)
    assert ours == theirs
    assert list(ours) == list(theirs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_left_out_fields_are_missing_everywhere(xsd: Xsd, case: tuple[str, str]) -> None:
    """What is to be left out is in no place, and all else is."""
    ours, theirs = _both(xsd, case, Instances(xsd, 1).item("item", case[1]), PICTURES)
    if ":" in case[0]:
        ours, theirs = _v1_prices(ours), _v1_prices(theirs)
    assert ours == theirs
    assert not any(f'"{name}"' in json.dumps(ours) for name in PICTURES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("seed", range(3))
def test_decoded_items_are_valid(xsd: Xsd, case: tuple[str, str], seed: int) -> None:
    """What the decoder makes of an instance is valid under the entity's schema, formats included."""
    entity = case[0].partition(":")[0]
    validator = jsonschema_rs.Draft202012Validator(schema.load(entity), validate_formats=True)
    for chance in (0.0, 0.3):
        ours, _ = _both(xsd, case, Instances(xsd, seed, chance_of_empty=chance).item("item", case[1]))
        validator.validate(ours)


def test_every_field_was_filled(xsd: Xsd) -> None:
    """The instances leave no field out, so the comparison covers the whole type."""
    for entity, type_ in TYPES.items():
        ours, _ = _both(xsd, (entity, type_), Instances(xsd, 0).item("item", type_))
        assert list(ours) == [element.name for element in xsd.elements(type_)]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_the_lists_that_a_page_must_hold(xsd: Xsd, entity: Entity) -> None:
    """The WSDL requires the list around the items wherever there is one; rows right under the response may be missing."""
    assert len(entity.page.path) in {1, 2}
    for reading in entity.readings:
        response = {element.name: element for element in xsd.elements(OPERATIONS[reading.operation].response)}
        assert response[entity.page.path[0]].optional is (len(entity.page.path) == 1)
        assert response[entity.page.path[0]].repeated is (len(entity.page.path) == 1)


def test_a_page_of_instances(xsd: Xsd) -> None:
    """Through the whole page decoder the JSON says the same."""
    spec = PageSpec(("receiptList", "item"), "receipt", (("receiptId", None),), "syncMarker")
    items = [Instances(xsd, seed).item("item", "Receipt") for seed in range(30)]
    body = "<ns:R><ns:receiptList>%s</ns:receiptList></ns:R>"
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    page = f'<e:Envelope xmlns:e="{soap}" {NAMESPACES}><e:Body>{body}</e:Body></e:Envelope>'
    decoder = PageDecoder(spec)
    found = decoder.feed((page % "".join(items)).encode()) + decoder.close()
    values = [decode(xsd, "Receipt", etree.fromstring(_declared(item).encode())) for item in items]
    good = [(item, value) for item, value in zip(found, values, strict=True) if isinstance(item, Item)]
    assert [json.loads(item.value) for item, _ in good] == [value for _, value in good]
    assert len(good) > 10
