"""The verbs at work, as processes, between a sandbox and a real broker."""

import asyncio
import json
import re
from typing import Any, Literal

import pytest
from rich.console import Console

from connector.cli.tables import shards_table
from connector.sandbox import Sandbox, SandboxOptions
from tests.support.program import at, ended, killed, running, started
from tests.support.source.polling import configuration, events_of, level, truth, working

FIELDS = {"administration", "entity", "head", "position", "backlog", "age", "rate", "state", "owner", "digest", "at"}


def rows(text: str) -> dict[str, dict[str, Any]]:
    """What `status --json` printed, by entity."""
    return {row["entity"]: row for row in map(json.loads, text.splitlines())}


@pytest.mark.parametrize(("semantics", "said"), [("records", "records"), ("window", "a window of sync markers")])
async def test_check_says_what_the_limit_counts(
    bootstrap: str, prefix: str, semantics: Literal["records", "window"], said: str
) -> None:
    """Before anything exists it is content, and changes nothing; it names the version of the API and the topics to come."""
    async with Sandbox(SandboxOptions(items=60, limit_semantics=semantics)) as pos:
        outcome = await ended("check", "--json", env=at(pos, bootstrap, prefix))
        again = await ended("check", env=at(pos, bootstrap, prefix))

    assert (0, []) == (outcome.code, outcome.errors)
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert {"ok", "note"} == {row["kind"] for row in found}
    texts = [row["text"] for row in found]
    assert [text for text in texts if f"syncMarkerLimit counts {said};" in text]
    assert [text for text in texts if "API 67.1.3" in text]
    (number, listed), *_ = re.findall(r"`run` will create (\d+) topics: (.+)", "\n".join(texts))
    names = listed.split(", ")
    assert int(number) == len(names) == len(set(names))
    assert {f"{prefix}.work", f"{prefix}.orders", f"{prefix}.order-commands", f"{prefix}.order-journeys"} <= set(names)
    assert [text for text in texts if f"order can be read, head {pos.shop.heads()['order']}" in text]
    assert f"will create {len(names)} topics" in again.out


async def test_check_says_which_entities_cannot_be_read(bootstrap: str, prefix: str) -> None:
    """An operation that is not licensed is worth a note: the others work."""
    async with Sandbox(SandboxOptions(items=30)) as pos:
        pos.faults.missing_operations = frozenset({"getActivities", "getCurrentSyncMarkersV2", "getPurchaseOrdersV2"})
        outcome = await ended("check", "--json", env=at(pos, bootstrap, prefix))

    assert 0 == outcome.code
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row for row in found if row["kind"] == "note" and "activity cannot be read" in row["text"]]
    assert [row for row in found if row["kind"] == "ok" and "purchaseOrder can be read" in row["text"]]


async def test_run_publishes_and_ends_well_when_asked_to(bootstrap: str, prefix: str) -> None:
    """SIGTERM is the end of a good day: exit code 0; `status` and `tail` tell what it did."""
    async with Sandbox(SandboxOptions(items=8)) as pos:
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order,deliveryMethod")
        async with running(env) as worker:
            await worker.until("/health/ready", code=200)
            head = pos.shop.heads()["order"]
            await worker.until("/status", words=f'"position": {head}, "backlog": 0')
            fresh = await ended("status", "--json", env=env)
            ending = await worker.stopped()
        shown = await ended("status", env=env)

    assert 0 == ending.code
    assert [] == [line for line in ending.errors if "[error" in line]
    assert truth(pos, "order") == await events_of(bootstrap, f"{prefix}.orders")
    table = rows(fresh.out)
    assert {"order", "deliveryMethod"} == set(table)
    assert (head, prefix) == (table["order"]["position"], table["order"]["administration"])
    assert (0, []) == (shown.code, shown.errors)
    assert [line for line in shown.out.splitlines() if prefix in line and "deliveryMethod" in line]
    assert "…" not in shown.out


async def test_a_pos_that_is_down_keeps_run_running_and_is_said_everywhere(bootstrap: str, prefix: str) -> None:
    """Not ready, with the reason; `status` calls the entity unreachable; and when the POS comes, everything goes on."""
    async with Sandbox(SandboxOptions(items=5)) as pos:
        pos.faults.switch("drop_before", probability=1)
        env = at(pos, bootstrap, prefix, CONNECTOR_ENTITIES="order")
        async with running(env) as worker:
            ready = await worker.until("/health/ready", code=503, words="the last call of the POS failed")
            assert [reason for reason in ready.json()["reasons"] if prefix in reason]
            assert 200 == (await worker.get("/health/live")).status_code
            await worker.until("/status", words='"state": "unreachable"')
            while True:
                outcome = await ended("status", "--json", env=env)
                row = rows(outcome.out)["order"]
                if row["state"] == "unreachable":
                    break
            assert set(row) >= FIELDS
            assert "POS" in row["reason"]
            pos.faults.clear()
            await worker.until("/health/ready", code=200)
            await worker.until("/status", words='"state": "running"')
            ending = await worker.stopped()

    assert 0 == ending.code
    assert [] == [line for line in ending.errors if "[error" in line]


async def test_status_before_anything_ran_shows_every_entity(bootstrap: str, prefix: str) -> None:
    """Nobody owns them."""
    outcome = await ended("status", "--json", env=at("http://127.0.0.1:9", bootstrap, prefix))

    assert (0, []) == (outcome.code, outcome.errors)
    assert 16 == len(rows(outcome.out))
    assert {"unowned"} == {row["state"] for row in rows(outcome.out).values()}


async def test_tail_shows_events_from_a_marker_on(bootstrap: str, prefix: str) -> None:
    """As JSON with key, headers and value, deletions with their tombstones; of either name of the entity; and goes on."""
    async with Sandbox(SandboxOptions(items=10)) as pos:
        config = configuration(bootstrap, prefix, pos, entities=("articleGroup",))
        async with working(config) as worker:
            await level(worker, pos, ["articleGroup"])
            markers = sorted(pos.truth()["articleGroup"].values())
            env = at(pos, bootstrap, prefix)
            process = await started("tail", "article-groups", "--from-marker", str(markers[4]), "--json", env=env)
            assert process.stdout is not None
            try:
                async with asyncio.timeout(30):
                    lines = [json.loads(await process.stdout.readline()) for _ in markers[4:]]
                    gone = next(iter(pos.truth()["articleGroup"]))
                    last = pos.shop.delete("articleGroup", gone)
                    event, tombstone = [json.loads(await process.stdout.readline()) for _ in range(2)]
            finally:
                await killed(process)

    assert markers[4:] == sorted(int(line["headers"]["ce_syncmarker"]) for line in lines)
    for line in lines:
        assert line["topic"] == f"{prefix}.article-groups"
        assert line["key"] == line["headers"]["ce_subject"] == str(line["data"]["groupNumber"])
    assert (gone, str(last), "mplus-connector.articleGroup.deleted") == (
        event["key"],
        event["headers"]["ce_syncmarker"],
        event["headers"]["ce_type"],
    )
    assert (gone, None, {"ce_syncmarker": str(last)}) == (tombstone["key"], tombstone["data"], tombstone["headers"])


async def test_tail_in_words_ends_well(bootstrap: str, prefix: str) -> None:
    """One line per event; Ctrl-C is no error."""
    import signal

    async with Sandbox(SandboxOptions(items=4)) as pos:
        async with working(configuration(bootstrap, prefix, pos, entities=("order",))) as worker:
            await level(worker, pos, ["order"])
        process = await started("tail", "order", "--from-marker", "0", env=at(pos, bootstrap, prefix))
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                lines = [(await process.stdout.readline()).decode() for _ in pos.truth()["order"]]
                process.send_signal(signal.SIGINT)
                _, err = await process.communicate()
        finally:
            await killed(process)

    assert (0, b"") == (process.returncode, err)
    for line in lines:
        assert line.startswith(f"{prefix}.orders[")
        assert " changed " in line
    assert len(pos.truth()["order"]) == len(lines)


def test_reasons_are_shown_as_they_are() -> None:
    """They quote the POS: what looks like markup is text."""
    console = Console(width=200, record=True)
    console.print(shards_table({("a", "order"): {"state": "unavailable", "reason": "refused: [/b] [red]x", "owner": "[host]:1"}}))
    text = console.export_text()
    assert "refused: [/b] [red]x" in text
    assert "[host]:1" in text


async def test_the_sandbox_says_where_it_listens_and_ends_well(prefix: str) -> None:
    """With the ident and secret of the environment, which it does not print."""
    from tests.support.program import SECRET, environment

    process = await started("sandbox", "--port", "0", "--items", "3", env=environment(MPLUS_IDENT="me", MPLUS_SECRET=SECRET))
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
            process.terminate()
            out, err = await process.communicate()
    finally:
        await killed(process)

    assert line.startswith("sandbox listening on http://127.0.0.1:")
    assert (0, b"", b"") == (process.returncode, out, err)
    assert SECRET not in line
