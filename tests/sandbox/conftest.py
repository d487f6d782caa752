"""A running sandbox, and the vendor's schema where the developer has it."""

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connector.sandbox import Sandbox, SandboxOptions
from tests.zeeping import ENCODING

XSD = "{http://www.w3.org/2001/XMLSchema}"


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A small shop, without activity of its own."""
    async with Sandbox(SandboxOptions(items=40)) as sandbox:
        yield sandbox


@pytest.fixture
def schema(wsdl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema inside the WSDL, ready to validate with."""
    return _schema(wsdl, tmp_path_factory.getbasetemp())


@cache
def _schema(wsdl: Path, folder: Path) -> Any:
    stub = folder / "soap-encoding.xsd"
    stub.write_text(ENCODING)
    inside = etree.parse(wsdl).find(f".//{XSD}schema")
    inside.find(f"{XSD}import").set("schemaLocation", stub.as_uri())
    return etree.XMLSchema(etree.fromstring(etree.tostring(inside)))
