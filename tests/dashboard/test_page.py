"""The page in a real browser, on a real Kafka."""

import re
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.connectors import fleet, settings
from tests.support.views.browsing import DESK, PHONE, Scheme, visiting
from tests.support.views.viewing import Writer, configuration, served, stamp, writing

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
LEAST_CONTRAST = 4.5
PATIENCE = 30_000
"""Milliseconds for what takes as long as the machine is busy."""

WAY = ["commanded", "created", "delivered", "invoicednot yet", "paidnot yet"]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def row(page: Page, entity: str) -> Any:
    """An entity's row."""
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=entity, exact=True))


async def an_order(writer: Writer, key: str = "web-1001", **more: Any) -> None:
    """One that was delivered in part, with a command that succeeded and one that did not. The POS tells whole seconds."""
    begun = time.time() - 90
    steps = [
        {"step": "commanded", "at": stamp(begun)},
        {"step": "created", "at": stamp(int(begun)), "syncMarker": 12},
        {"step": "delivered", "at": stamp(begun + 60), "document": "slip-1", "number": "2026-17", "partly": True},
    ]
    commands = [
        {"commandId": "c-1", "command": "createOrder", "at": stamp(begun), "outcome": "succeeded", "endedAt": stamp(begun + 0.5)},
        {"commandId": "c-2", "command": "payOrder", "at": stamp(begun + 9), "outcome": "rejected", "reason": "NO-MONEY"},
    ]
    await writer.journey(key, "id-1", "delivered", steps=steps, commands=commands, relationName="J. de Vries", **more)


async def everything(writer: Writer) -> None:
    """Something in every part of the page, good and bad."""
    for entity, state in (("order", "running"), ("invoice", "unreachable"), ("receipt", "paused")):
        await writer.status(entity, state=state, reason="" if state == "running" else "the reason of it")
    await writer.status("article", at=stamp(time.time() - 60))
    await writer.result("web-1001", "c-1")
    await writer.result("web-1001", "c-2", "rejected", "PAY-ORDER-RESULT-PAYMENT-INSUFFICIENT", message="too little")
    await writer.result("web-1001", "c-3", "unknown", "OUTCOME-UNKNOWN")
    await writer.letter("web-1001", "outcome", "nobody can tell")
    await writer.window(60, time.time() - 60, "changes.order", 0, count=12)
    await writer.window(3600, time.time(), "revenue.ordered", 0, count=2, amount=123456)
    await an_order(writer)


async def test_the_page_loads_before_there_is_anything_to_show(browser: Browser, bootstrap: str, prefix: str) -> None:
    """No topic exists: every entity is unowned, and each part says why it is empty."""
    async with served(configuration(bootstrap, prefix)) as url, visiting(browser, url) as visit:
        await expect(visit.page.get_by_role("rowheader")).to_have_count(16)
        await expect(row(visit.page, "purchase order").locator(".state")).to_have_text("unowned")
        await expect(visit.page.locator("#link")).to_have_text("live")
        for empty in ("No commands yet", "None failed", "No dead letters", "No figures yet", "No orders yet"):
            await expect(visit.page.get_by_text(empty)).to_be_visible()


async def test_numbers_move_and_a_connector_that_died_is_stale_within_ten_seconds(
    browser: Browser, bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    """With `mplus-connector run` as it is started by users, killed with SIGKILL."""
    async with Sandbox(SandboxOptions(items=20)) as pos, served(configuration(bootstrap, prefix)) as url:
        environment = settings(pos, bootstrap, prefix, roles="source")
        async with fleet(tmp_path, environment, "source") as connectors, visiting(browser, url) as visit:
            worker, order = connectors.start(), row(visit.page, "order")
            position, reported = order.locator("td.wide").first, order.locator("td").last
            await expect(order.locator(".state")).to_have_text("running", timeout=60_000)
            for _ in range(2):
                await expect(position).to_have_text(str(pos.shop.heads()["order"]), timeout=PATIENCE)
                pos.shop.create("order")
            await expect(visit.page.locator("#headline")).to_have_text("All is well", timeout=PATIENCE)

            await worker.kill()
            await expect(order.locator(".state")).to_have_text("stale", timeout=10_000)
            await expect(reported).to_have_text(re.compile(r"^\d+ s ago$"))
            await expect(visit.page.locator("#problems")).to_contain_text(f"{worker.pid} stopped reporting")
            await expect(visit.page.get_by_role("status")).to_have_text("One thing needs attention")


async def test_a_backlog_that_nobody_knows_is_not_0(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Neither in its row nor in the sums; the headline says since when, and what to do about each state."""
    since = time.time() - 75
    unknown = {"backlog": None, "age": 75.0, "unknownSince": stamp(since), "reason": "the POS asks to wait (HTTP 503)"}
    entities = ("order", "invoice", "receipt", "article", "stock")
    told: list[tuple[str, dict[str, Any]]] = [
        ("order", {"backlog": 7, "unknownSince": None}),
        ("invoice", {"state": "unreachable", **unknown}),
        ("receipt", unknown),
        ("article", {"state": "topic-lost", "reason": "mplus.articles is empty"}),
        ("stock", {"state": "head-doubted", "reason": "the head fell to 0"}),
    ]
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(writing(bootstrap, prefix))
        url = await stack.enter_async_context(served(configuration(bootstrap, prefix, entities=entities)))
        page = (await stack.enter_async_context(visiting(browser, url))).page
        for entity, more in told:
            await writer.status(entity, **more)
        for entity in ("invoice", "receipt"):
            await expect(page.locator("tbody tr", has_text=entity)).to_contain_text(
                re.compile("; backlog unknown since .*unknown.*unknown"), timeout=PATIENCE
            )
        await expect(page.locator("#tiles")).to_contain_text("sync markers of 3 entities")
        await expect(page.locator("summary")).to_contain_text("backlog 7, unknown of 2")
        problems = page.locator("#problems")
        await expect(problems).to_contain_text("invoice: unreachable, backlog unknown since ")
        await expect(problems).to_contain_text("receipt: backlog unknown since ")
        await expect(problems).to_contain_text("article: topic-lost")
        await expect(problems.locator("li.warn").filter(has_text="stock: head-doubted")).to_have_count(1)


async def test_search_finds_an_order_and_draws_its_journey_which_goes_on(browser: Browser, bootstrap: str, prefix: str) -> None:
    """By either id, with times, documents and commands; a further step appears by itself, and the address can be shared."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url:
        await an_order(writer)
        async with visiting(browser, url) as visit:
            page = visit.page
            await expect(page.get_by_role("link", name="web-1001")).to_be_visible(timeout=PATIENCE)
            await page.get_by_role("searchbox").fill("id-1")
            await page.get_by_role("button", name="Find").click()
            way, past = page.get_by_role("list", name="The order's way"), page.locator(".history li")

            await expect(way.get_by_role("listitem")).to_contain_text(WAY)
            await expect(past.locator("strong")).to_have_text(["commanded", "createOrder", "created", "payOrder", "delivered"])
            await expect(past.nth(4)).to_contain_text("no. 2026-17")
            await expect(past.filter(has_text="payOrder")).to_contain_text("rejected")
            await expect(page.locator("#journey")).to_contain_text("J. de Vries")

            await writer.journey("web-1001", "id-1", "cancelled", steps=[{"step": "cancelled", "at": stamp()}])
            await expect(way.get_by_role("listitem")).to_contain_text(["cancelled"], timeout=PATIENCE)
            await page.goto(f"{url}#order=nobody's")
            await expect(page.locator("#journey")).to_contain_text("No such order among the 1 order")


async def test_several_administrations_are_told_apart(browser: Browser, bootstrap: str, prefix: str) -> None:
    """A table each, sums over all, and an order's journey in each that has one; many tables are closed at first."""
    names = [f"{prefix}-{number}" for number in range(4)]
    async with AsyncExitStack() as stack:
        for name in names[:2]:
            writer = await stack.enter_async_context(writing(bootstrap, name))
            await writer.status("order", backlog=2, at=stamp(time.time() + 60))  # not stale before we look
            await writer.result("web-1", "c-1")
            await an_order(writer)
        url = await stack.enter_async_context(served(configuration(bootstrap, *names)))
        page = (await stack.enter_async_context(visiting(browser, f"{url}#order=web-1001"))).page
        await expect(page.locator("#tiles div").first).to_have_text("Backlog4sync markers of 2 entities", timeout=PATIENCE)
        await expect(page.get_by_role("row").filter(has_text="payOrder").first).to_have_text("payOrder200", timeout=PATIENCE)
        await expect(page.locator("summary").first).to_have_text(f"{names[0]} 15 unowned, 1 running; backlog 2")
        await expect(page.get_by_role("rowheader", name="order", exact=True)).to_have_count(0)
        await page.locator("summary").last.click()
        await expect(page.get_by_role("table", name=f"Entities of {names[3]}").get_by_role("rowheader")).to_have_count(16)
        await page.goto(f"{url}#order=id-1")
        await expect(page.get_by_role("list", name="The order's way")).to_have_count(2, timeout=PATIENCE)


async def test_what_stands_in_a_topic_stays_text(browser: Browser, bootstrap: str, prefix: str) -> None:
    """Markup in ids, reasons and messages is shown as it is, wherever it appears."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url:
        await an_order(writer, HOSTILE)
        await writer.status("order", state="stuck", reason=HOSTILE, owner=HOSTILE)
        await writer.result(HOSTILE, HOSTILE, "rejected", HOSTILE, message=HOSTILE, command=HOSTILE)
        await writer.letter(HOSTILE, HOSTILE, HOSTILE)
        async with visiting(browser, url) as visit:
            for part in ("#entities", "#failures", "#letters", "#commands"):
                await expect(visit.page.locator(part)).to_contain_text(HOSTILE, timeout=PATIENCE)
            await visit.page.locator("#orders").get_by_role("link", name=HOSTILE).click()
            await expect(visit.page.locator("#journey-title")).to_have_text(f"Order {HOSTILE}")
            await expect(visit.page.locator(".history li")).to_have_count(5)
            assert 1 == await visit.page.locator("script").count()
            assert 0 == await visit.page.locator("img").count()


async def test_a_lost_connection_is_said_within_seconds_and_ends_by_itself(browser: Browser, bootstrap: str, prefix: str) -> None:
    """While the server is away the page says from when its numbers are."""
    config = configuration(bootstrap, prefix)
    async with served(config) as url:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(url)
        await expect(page.locator("#link")).to_have_text("live")
    await expect(page.locator("#link")).to_have_text("connection lost", timeout=6_000)
    await expect(page.get_by_role("alert")).to_contain_text("Everything below is as it was at")
    await expect(page.locator("#headline")).to_have_text("No connection: what was known last")
    async with served(config, int(url.rstrip("/").rpartition(":")[2])):
        await expect(page.locator("#link")).to_have_text("live", timeout=PATIENCE)
        await expect(page.get_by_role("alert")).to_have_text("")
        await context.close()


async def test_figures_that_are_behind_are_called_so(browser: Browser, bootstrap: str, prefix: str) -> None:
    """As long as `views` has something to catch up with."""
    doubts = ["1,200 records are still to be read"]
    async with served(configuration(bootstrap, prefix), doubts=lambda: list(doubts)) as url, visiting(browser, url) as visit:
        await expect(visit.page.locator("#problems")).to_contain_text("older than what is read: 1,200 records")
        doubts.clear()
        await expect(visit.page.locator("#problems")).not_to_contain_text("older than what is read", timeout=PATIENCE)


async def test_everything_can_be_done_with_the_keyboard(browser: Browser, bootstrap: str, prefix: str) -> None:
    """The skip link comes first; / goes to the search, Enter to the journey, Escape back; what has the focus is outlined."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url:
        await an_order(writer)
        async with visiting(browser, url) as visit:
            page = visit.page
            await expect(page.get_by_role("link", name="web-1001")).to_be_visible(timeout=PATIENCE)
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("main")).to_be_focused()
            await page.keyboard.press("/")
            search = page.get_by_role("searchbox")
            await expect(search).to_be_focused()
            assert "2px" == await search.evaluate("node => getComputedStyle(node).outlineWidth")
            await page.keyboard.type("web-1001")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("region", name="Order web-1001")).to_be_focused()
            await expect(page.locator(".history li")).to_have_count(5)
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("button", name="Close")).to_be_focused()
            await page.keyboard.press("Escape")
            await expect(search).to_be_focused()
            await expect(page.locator("#journey")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_read_it(browser: Browser, bootstrap: str, prefix: str, scheme: Scheme) -> None:
    """Landmarks, headings and columns have names; text has contrast; nothing is wider than a phone."""
    async with writing(bootstrap, prefix) as writer, served(configuration(bootstrap, prefix)) as url:
        await everything(writer)
        async with visiting(browser, f"{url}#order=web-1001", DESK, scheme) as visit:
            page = visit.page
            await expect(page.locator(".history li")).to_have_count(5, timeout=PATIENCE)
            await expect(page.locator("#failures li")).to_have_count(2, timeout=PATIENCE)
            await expect(page.locator(".figures")).to_contain_text("1,234.56", timeout=PATIENCE)
            for role in ("banner", "main", "search", "contentinfo"):
                await expect(page.get_by_role(role)).to_have_count(1)
            await expect(page.get_by_role("heading", level=1)).to_contain_text("mplus-connector")
            await expect(page.get_by_role("heading", level=2)).to_have_count(7)
            await expect(page.get_by_role("table", name=f"Entities of {prefix}").get_by_role("columnheader")).to_have_count(8)
            assert [] == await page.locator("button, input, a").evaluate_all(
                "all => all.filter(node => !(node.labels?.length || node.textContent))"
            )

            ratio, where = await page.evaluate(CONTRAST)
            assert ratio >= LEAST_CONTRAST, where
            await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            assert PHONE[0] == await page.evaluate("document.documentElement.scrollWidth")
            ratio, where = await page.evaluate(CONTRAST)
            assert ratio >= LEAST_CONTRAST, where
