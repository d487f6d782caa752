"""The page as people use it: many tabs, other clocks, impatience, a night over midnight."""

import re
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from connector.clock import Clock
from tests.support.views.browsing import visiting
from tests.support.views.viewing import configuration, served, stamp, writing

PATIENCE = 30_000
"""Milliseconds for what takes as long as the machine is busy."""
TABS = 8
"""Two more than the connections that a browser opens to a server."""


async def searched(page: Page, order: str) -> None:
    """Look for an order, and wait until it is shown."""
    await page.get_by_role("searchbox").fill(order)
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#journey-body")).to_contain_text("What happened", timeout=PATIENCE)


async def test_many_tabs_share_one_stream(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Each is live, and finds orders; when the tab that reads is closed another one reads on."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url:
        await writer.journey("web-1", "id-1", "created")
        context = await browser.new_context()
        streams: list[str] = []
        context.on("request", lambda request: streams.append(request.url) if request.url.endswith("api/events") else None)
        pages = []
        for _ in range(TABS):
            pages.append(await context.new_page())
            await pages[-1].goto(url)
            await expect(pages[-1].locator("#link")).to_have_text("live")
        for page in pages:
            await expect(page.get_by_role("link", name="web-1")).to_be_visible(timeout=PATIENCE)
        assert 1 == len(streams)
        await searched(pages[-1], "id-1")

        await pages.pop(0).close()
        await writer.status("order", backlog=4711)
        for page in pages:
            await expect(page.locator("#tiles")).to_contain_text("4,711", timeout=PATIENCE)
            await expect(page.locator("#link")).to_have_text("live")
        await context.close()


@pytest.mark.parametrize(
    ("off", "words"), [(-3600, "1 h 0 min behind"), (-10, "10 s behind"), (10, "10 s ahead of"), (3600, "1 h 0 min ahead of")]
)
async def test_a_worker_with_a_wrong_clock_is_named_and_not_called_dead(
    browser: Browser, bootstrap: str, prefix: str, off: int, words: str
) -> None:
    """It reports, and so it runs."""
    config = configuration(bootstrap, prefix, entities=["order"])
    async with writing(bootstrap, prefix) as writer, served(config) as url, visiting(browser, url) as visit:
        await expect(visit.page.locator("#link")).to_have_text("live")
        for _ in range(3):
            await writer.status("order", at=stamp(time.time() + off))
            await expect(visit.page.locator("tbody .state").first).to_have_text("running", timeout=PATIENCE)
        await expect(visit.page.locator("#problems")).to_contain_text(
            f"The clock of host:1 is {words} that of this page's machine"
        )
        await expect(visit.page.locator("#problems")).not_to_contain_text("stopped reporting")


@pytest.mark.parametrize("off", [-3600, -10, 10, 3600])
async def test_a_browser_with_a_wrong_clock_shows_the_same(browser: Browser, bootstrap: str, prefix: str, off: int) -> None:
    """Ages and times are those of the server."""
    skewed = "globalThis.Right = Date; globalThis.Date = class extends Right {" + (
        f"constructor(...given) {{ given.length ? super(...given) : super(Right.now() + {off * 1000}); }}"
        f"static now() {{ return Right.now() + {off * 1000}; }} }};"
    )
    config = configuration(bootstrap, prefix, entities=["order"])
    context = await browser.new_context()
    await context.add_init_script(skewed)
    page = await context.new_page()
    async with writing(bootstrap, prefix) as writer, served(config) as url:
        await page.goto(url)
        for _ in range(3):
            await writer.status("order")
            await expect(page.locator("tbody .state").first).to_have_text("running", timeout=PATIENCE)
        await expect(page.locator("tbody td").last).to_have_text(re.compile("^now|^[1-4] s ago$"))
        await expect(page.locator("#headline")).to_have_text("All is well")
        assert abs(off * 1000) == abs(round(await page.evaluate("Date.now() - Right.now()"), -3))
        await context.close()


async def test_where_all_clocks_differ_alike_it_is_the_pages_own(browser: Browser, bootstrap: str, prefix: str) -> None:
    """One line, about one machine."""
    entities = ["order", "invoice"]
    config = configuration(bootstrap, prefix, entities=entities)
    async with writing(bootstrap, prefix) as writer, served(config) as url, visiting(browser, url) as visit:
        await expect(visit.page.locator("#link")).to_have_text("live")
        for number, entity in enumerate(entities):
            await writer.status(entity, at=stamp(time.time() - 60), owner=f"till-{number}:7")
        await expect(visit.page.locator("#problems")).to_contain_text(
            "The clock of this page's machine is 1 min ahead of all workers'"
        )
        await expect(visit.page.locator("#problems")).not_to_contain_text("till-0")


async def test_two_workers_of_one_machine_are_no_two_witnesses(browser: Browser, bootstrap: str, prefix: str) -> None:
    """It may be that machine's clock: each worker is named."""
    config = configuration(bootstrap, prefix, entities=["order", "invoice"])
    async with writing(bootstrap, prefix) as writer, served(config) as url, visiting(browser, url) as visit:
        await expect(visit.page.locator("#link")).to_have_text("live")
        for number, entity in enumerate(("order", "invoice")):
            await writer.status(entity, at=stamp(time.time() - 60), owner=f"till:{number}")
        for number in range(2):
            await expect(visit.page.locator("#problems")).to_contain_text(
                f"The clock of till:{number} is 1 min behind", timeout=PATIENCE
            )


async def test_every_tab_notices_that_the_server_is_gone(browser: Browser, bootstrap: str, prefix: str) -> None:
    """None answers for it; and all are live when it is there again."""
    config = configuration(bootstrap, prefix)
    context = await browser.new_context()
    pages = [await context.new_page() for _ in range(3)]
    async with served(config) as url:
        for page in pages:
            await page.goto(url)
            await expect(page.locator("#link")).to_have_text("live")
    for page in pages:
        await expect(page.locator("#link")).to_have_text("connection lost", timeout=10_000)
    await pages[0].evaluate("new Promise(done => setTimeout(done, 3000))")
    for page in pages:
        await expect(page.locator("#link")).to_have_text("connection lost", timeout=10_000)
    async with served(config, int(url.rstrip("/").rpartition(":")[2])):
        for page in pages:
            await expect(page.locator("#link")).to_have_text("live", timeout=PATIENCE)
        await context.close()


async def test_an_unknown_outcome_is_not_pushed_off(browser: Browser, bootstrap: str, prefix: str) -> None:
    """By however many that failed after it; the headline tells of one that no journey knows yet."""
    async with (
        writing(bootstrap, prefix) as writer,
        served(configuration(bootstrap, prefix)) as url,
        visiting(browser, url) as visit,
    ):
        await writer.result("web-0", "lost", "unknown", "OUTCOME-UNKNOWN")
        await expect(visit.page.locator("#problems")).to_contain_text("1 command with an unknown outcome", timeout=PATIENCE)
        command = {
            "commandId": "lost",
            "command": "payOrder",
            "at": stamp(),
            "outcome": "unknown",
            "endedAt": stamp(time.time() - 9e5),
        }
        await writer.journey("web-0", None, "unknown", commands=[command])
        for number in range(30):
            await writer.result(f"web-{number + 1}", f"c-{number}", "rejected", "EXPIRED")
        await expect(visit.page.locator("#failures li")).to_have_count(20, timeout=PATIENCE)
        await expect(visit.page.locator("#failures li").first).to_contain_text("web-0")
        await expect(visit.page.locator("#problems")).to_contain_text("1 command with an unknown outcome")


async def test_an_unknown_outcome_stays_in_the_headline_until_it_is_solved(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Of last week, too; and a result that solves it ends it."""
    command = {
        "commandId": "c-1",
        "command": "payOrder",
        "at": stamp(time.time() - 7e5),
        "outcome": "unknown",
        "endedAt": stamp(time.time() - 7e5),
    }
    async with (
        writing(bootstrap, prefix) as writer,
        served(configuration(bootstrap, prefix)) as url,
        visiting(browser, url) as visit,
    ):
        await writer.journey("web-1", "id-1", "created", commands=[command])
        await expect(visit.page.locator("#problems")).to_contain_text("1 command with an unknown outcome", timeout=PATIENCE)
        await expect(visit.page.locator("#failures")).to_contain_text("payOrder")
        await writer.journey("web-1", "id-1", "paid", commands=[{**command, "outcome": "succeeded"}])
        await expect(visit.page.locator("#problems")).not_to_contain_text("unknown outcome", timeout=PATIENCE)
        await expect(visit.page.locator("#failures")).to_contain_text("None failed")


async def test_impatience_costs_nothing(browser: Browser, bootstrap: str, prefix: str) -> None:
    """However often Enter is pressed: one search looks again, the others ended."""
    async with (
        writing(bootstrap, prefix) as writer,
        served(configuration(bootstrap, prefix)) as url,
        visiting(browser, url) as visit,
    ):
        page, asked = visit.page, list[str]()
        await writer.journey("web-1", "id-1", "created")
        await searched(page, "web-1")
        for _ in range(20):
            await page.get_by_role("searchbox").press("Enter")
        await page.evaluate("new Promise(done => setTimeout(done, 2500))")
        page.on("request", lambda request: asked.append(request.url) if "api/journeys" in request.url else None)
        await page.evaluate("new Promise(done => setTimeout(done, 5000))")
        assert len(asked) <= 3


async def test_a_place_on_the_page_leaves_the_journey_open(browser: Browser, bootstrap: str, prefix: str) -> None:
    """That of a problem's link, say; an address without any closes it."""
    async with (
        writing(bootstrap, prefix) as writer,
        served(configuration(bootstrap, prefix)) as url,
        visiting(browser, url) as visit,
    ):
        page = visit.page
        await writer.journey("web-1", "id-1", "created")
        await writer.letter("web-1", "outcome", "nobody can tell")
        await searched(page, "web-1")
        await page.locator("#problems").get_by_role("link", name="Show").first.click(timeout=PATIENCE)
        assert page.url.endswith("#letters")
        await expect(page.locator("#journey")).to_be_visible()
        await page.goto(f"{url}#")
        await expect(page.locator("#journey")).to_be_hidden()


async def test_an_order_that_is_not_there_is_said_to_be_so_once_all_is_read(
    browser: Browser, bootstrap: str, prefix: str
) -> None:
    """And is shown as soon as it comes."""
    async with (
        writing(bootstrap, prefix) as writer,
        served(configuration(bootstrap, prefix)) as url,
        visiting(browser, url) as visit,
    ):
        await visit.page.get_by_role("searchbox").fill("web-1")
        await visit.page.get_by_role("button", name="Find").click()
        for number in range(3):
            await writer.journey(f"other-{number}", None, "created")
            await expect(visit.page.locator("#journey-body")).to_contain_text(f"among the {number + 1} order", timeout=PATIENCE)
        await writer.journey("web-1", "id-1", "created")
        await expect(visit.page.locator("#journey-body")).to_contain_text("What happened", timeout=PATIENCE)


async def test_a_hidden_tab_says_in_its_title_what_is_wrong(browser: Browser, bootstrap: str, prefix: str) -> None:
    """It gets no frames to draw in."""
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(writing(bootstrap, prefix))
        url = await stack.enter_async_context(served(configuration(bootstrap, prefix, entities=["order"])))
        page = (await stack.enter_async_context(visiting(browser, url))).page
        await writer.status("order")
        await expect(page).to_have_title("All is well – mplus-connector", timeout=PATIENCE)
        await page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: true }); globalThis.requestAnimationFrame = () => 0;"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        await writer.status("order", state="stuck")
        await expect(page).to_have_title("One thing needs attention – mplus-connector", timeout=PATIENCE)


async def test_after_midnight_what_failed_before_is_of_yesterday(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Its card is drawn once, and its date is not left out for ever."""
    later = timedelta()
    clock = replace(Clock(), wall=lambda: datetime.now(UTC) + later)
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(writing(bootstrap, prefix))
        url = await stack.enter_async_context(served(configuration(bootstrap, prefix), clock=clock))
        page: Any = (await stack.enter_async_context(visiting(browser, url))).page
        await writer.letter("web-1", "outcome", "nobody can tell")
        when = page.locator("#letters time")
        await expect(when).to_have_count(1, timeout=PATIENCE)
        today = await when.text_content()
        later = timedelta(days=1)
        await expect(when).not_to_have_text(today, timeout=PATIENCE)
        assert (await when.text_content()).endswith(today)


async def test_numbers_are_shown_as_they_are(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Sync markers beyond what a browser counts exactly."""
    marker = (1 << 53) + 1
    config = configuration(bootstrap, prefix, entities=["order"])
    async with writing(bootstrap, prefix) as writer, served(config) as url, visiting(browser, url) as visit:
        await writer.status("order", position=marker, head=marker)
        await writer.journey("web-1", "id-1", "created", steps=[{"step": "created", "at": stamp(), "syncMarker": marker}])
        await expect(visit.page.locator("tbody tr").first).to_contain_text(f"{marker:,}", timeout=PATIENCE)
        await searched(visit.page, "web-1")
        await expect(visit.page.locator(".history")).to_contain_text(f"sync marker {marker}")
