"""Headless Chromium, as Debian packages it, and what a page in it must never do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
DESK, PHONE = (1280, 900), (360, 740)
"""Width and height, CSS pixels."""

Scheme = Literal["light", "dark"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser, closed at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A page, and what it complained about and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.errors.append(f"a dialog: {dialog.message}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).hostname or request.url[:40])

    async def text(self, selector: str) -> str:
        """What an element says; empty where there is none."""
        found: Any = await self.page.locator(selector).all_text_contents()
        return found[0] if found else ""


@asynccontextmanager
async def visiting(browser: Browser, url: str, size: tuple[int, int] = DESK, scheme: Scheme = "light") -> AsyncIterator[Watched]:
    """A visitor's page. At the end it has complained about nothing and asked nobody but this machine."""
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    try:
        watched = Watched(await context.new_page())
        await watched.page.goto(url)
        yield watched
        assert [] == watched.errors
        assert {"127.0.0.1"} == watched.hosts
    finally:
        await context.close()
