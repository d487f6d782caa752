"""The schema inside the vendor's WSDL, to hold requests and answers against."""

from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from tests.support.pos.zeep_client import ENCODING

XSD = "{http://www.w3.org/2001/XMLSchema}"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


@cache
def schema_in(wsdl: Path, folder: Path) -> Any:
    """Ready to validate with; `folder` is for the schema that the WSDL imports without saying where it is."""
    stub = folder / "soap-encoding.xsd"
    stub.write_text(ENCODING)
    inside = etree.parse(wsdl).find(f".//{XSD}schema")
    inside.find(f"{XSD}import").set("schemaLocation", stub.as_uri())
    return etree.XMLSchema(etree.fromstring(etree.tostring(inside)))


def call_in(body: bytes) -> Any:
    """The operation's element of an envelope."""
    (inside,) = etree.fromstring(body).find(f"{SOAP}Body")
    return inside
