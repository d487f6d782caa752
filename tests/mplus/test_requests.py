"""Every request that the source sends, against the schema in the vendor's WSDL."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connector.clock import Clock
from connector.mplus.operations import OPERATIONS, Operation
from connector.mplus.request import Fields, request
from connector.source.entities import ENTITIES, Choices, Entity, Reading
from connector.source.heads import Heads
from tests.support.pos.scripted import client, fault, scripted, version, xml
from tests.support.pos.xsd import call_in, schema_in

READINGS = [(entity, reading) for entity in ENTITIES for reading in entity.readings]
CHOICES = [Choices(), Choices(("ORDER-TYPE-TABLE-ORDER", "ORDER-TYPE-SALES-ORDER"))]


@pytest.fixture
def schema(wsdl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema inside the WSDL, ready to validate with."""
    return schema_in(wsdl, tmp_path_factory.getbasetemp())


def sent(operation: str, fields: Fields) -> Any:
    """The element that the client sends for these fields."""
    return call_in(request(operation, [("request", fields)] if OPERATIONS[operation].wrapped else fields))


@pytest.mark.parametrize(("entity", "reading"), READINGS, ids=[f"{entity.name}-{row.operation}" for entity, row in READINGS])
@pytest.mark.parametrize("choices", CHOICES, ids=["plain", "order types"])
@pytest.mark.parametrize(("marker", "limit"), [(0, 1), (1, 1000), (2**31, 10_000)])
def test_every_reading_is_valid(schema: Any, entity: Entity, reading: Reading, choices: Choices, marker: int, limit: int) -> None:
    """Of every entity, those of older administrations too, with and without order types."""
    assert entity
    schema.assertValid(sent(reading.operation, reading.fields(marker, limit, choices)))


async def test_both_questions_for_heads_and_the_version_are_valid(schema: Any) -> None:
    """As the client really sends them: V2 with the flags of all entities, then V1, then the version."""
    heads = '<n:getCurrentSyncMarkersResponse xmlns:n="urn:mplusqapi"><n:orderSyncMarker>7</n:orderSyncMarker>%s'
    old = xml(heads % "</n:getCurrentSyncMarkersResponse>")
    missing = fault("Client", "getCurrentSyncMarkersV2 is not implemented")
    async with scripted(missing, old, version()) as pos, client(pos.url) as (speaking, _):
        asking = Heads(speaking, ENTITIES, 0.05, Clock())
        order = next(entity for entity in ENTITIES if entity.name == "order")
        assert 7 == (await asking.newer(order, -1.0)).marker
        await asking.close()
        await speaking.numbers("getApiVersion")

    calls = [call_in(body) for body in pos.bodies]
    assert ["getCurrentSyncMarkersV2", "getCurrentSyncMarkers", "getApiVersion"] == [
        etree.QName(call).localname for call in calls
    ]
    assert sum(1 for entity in ENTITIES if entity.head) == len(calls[0][0])
    for call in calls:
        schema.assertValid(call)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_every_answer_is_known_by_its_name(wsdl: Path, operation: Operation) -> None:
    """What carries another name is no answer to the operation: so the names are the WSDL's."""
    tree = etree.parse(wsdl)
    within = {"w": "http://schemas.xmlsoap.org/wsdl/"}
    (output,) = tree.xpath("//w:portType/w:operation[@name=$name]/w:output/@message", namespaces=within, name=operation.name)
    message = output.rpartition(":")[2]
    (element,) = tree.xpath("//w:message[@name=$name]/w:part/@element", namespaces=within, name=message)

    assert element.rpartition(":")[2] == operation.response


def test_an_invalid_request_is_noticed(schema: Any) -> None:
    """The check itself can fail: elements in another order, or a required one missing."""
    for fields in ([("syncMarkerLimit", 1), ("syncMarker", 1)], [("syncMarker", 1), ("syncMarkerLimit", 1)]):
        with pytest.raises(etree.DocumentInvalid):
            schema.assertValid(sent("getOrders", fields))
