"""The browser, for all tests of the page."""

from collections.abc import AsyncIterator
from shutil import which

import pytest
from playwright.async_api import Browser

from tests.support.views.browsing import EXECUTABLE, chromium


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One for the module: a context each keeps visitors apart."""
    if which(EXECUTABLE) is None:
        pytest.skip(f"no {EXECUTABLE}: install Debian's package chromium")
    async with chromium() as found:
        yield found
