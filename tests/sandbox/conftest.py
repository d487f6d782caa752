"""A running sandbox, and the vendor's schema where the developer has it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.pos.xsd import schema_in


@pytest.fixture
async def pos() -> AsyncIterator[Sandbox]:
    """A small shop, without activity of its own."""
    async with Sandbox(SandboxOptions(items=40)) as sandbox:
        yield sandbox


@pytest.fixture
def schema(wsdl: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema inside the WSDL, ready to validate with."""
    return schema_in(wsdl, tmp_path_factory.getbasetemp())
