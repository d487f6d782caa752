"""The demo's flow: a shop and its webshop open, all goes both ways through Kafka, and at the end both sides are compared."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live

from connector.demo.compare import compare, whole
from connector.demo.orders import wrong
from connector.demo.screen import line, screen
from connector.demo.stage import CHANGES_PER_SECOND, Stage, staged
from connector.demo.summary import Findings, tell
from connector.demo.worker import last_lines
from connector.kafka.topics import existing
from connector.messages.topics import Topics
from connector.source.entities import named

SETTLE_S = 30.0
"""Seconds that everything under way gets to arrive, once shop and webshop have closed."""


async def show(bootstrap: str, logs: Path, seconds: float | None, console: Console) -> int:
    """Keep shop and webshop open for so many seconds (None: until Ctrl-C); 0 if everything arrived, and nothing twice."""
    async with staged(bootstrap, logs, console) as stage:
        _announce(stage)
        await _open(stage, seconds)
        found = await _compared(stage)
    if tell(console, found):
        return 0
    for part in stage.parts:
        console.print(f"\nthe end of the log of `{part.verb}`:", style="bold")
        console.print(last_lines(part.log, 20), markup=False, highlight=False, soft_wrap=True)
    return 1


def _announce(stage: Stage) -> None:
    rows = {
        "dashboard": f"[bold cyan]http://127.0.0.1:{stage.views.port}/[/]",
        "Kafka": f"{stage.kafka.arguments['bootstrap_servers']}, topics {stage.administration}.*",
        "POS": f"{stage.pos.url} (simulated: {CHANGES_PER_SECOND:.0f} changes a second, and a webshop's orders)",
        "connector": f"http://127.0.0.1:{stage.worker.port}/status, /metrics, /health/ready",
    }
    for name, text in rows.items():
        stage.console.print(f"{name:<12} {text}", highlight=False, soft_wrap=True)
    stage.console.print()


async def _open(stage: Stage, seconds: float | None) -> None:
    """Everything happens, until the time is over or Ctrl-C; then what is under way arrives."""
    closing = asyncio.Event()
    works = (stage.webshop.run(), stage.follow(), _watch(stage), closing.wait())
    tasks = shopping, _, watching, _ = [asyncio.create_task(work) for work in works]
    try:
        with _asked_to_close(closing):
            done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # what ended by itself failed: say so
        await _stopped([watching])
        await _settled(stage, shopping)
    finally:
        await _stopped(tasks)


@contextmanager
def _asked_to_close(closing: asyncio.Event) -> Iterator[None]:
    """Ctrl-C asks, while inside; after it Ctrl-C ends everything at once."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for name in signals:
        loop.add_signal_handler(name, closing.set)
    try:
        yield
    finally:
        for name in signals:
            loop.remove_signal_handler(name)


async def _watch(stage: Stage) -> None:
    if not stage.console.is_terminal:
        while True:
            stage.console.print(line(await stage.view()), highlight=False, soft_wrap=True)
            await asyncio.sleep(5)
    with Live(console=stage.console, refresh_per_second=4) as live:
        while True:
            live.update(screen(await stage.view(), *stage.console.size))
            await asyncio.sleep(0.25)


async def _stopped(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _settled(stage: Stage, shopping: asyncio.Task[Any]) -> None:
    """Close shop and webshop, and wait until all has arrived, or for too long: comparing then says what is missing."""
    stage.console.print(f"closing: what is under way arrives (at most {SETTLE_S:.0f} s; Ctrl-C leaves without comparing)")
    stage.pos.activity.rate = 0
    stage.webshop.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            await asyncio.wait([shopping])
            while await stage.behind():  # noqa: ASYNC110  what is looked at is in other processes
                await asyncio.sleep(0.1)
    if shopping.done():
        shopping.result()


async def _compared(stage: Stage) -> Findings:
    truth, states, said, topics = stage.pos.truth(), stage.states(), stage.webshop.said, Topics(stage.administration)
    with stage.kafka.reaching():
        there = await existing(stage.kafka)

        def records(topic: str) -> AsyncIterator[Any]:
            return whole(stage.kafka, topic, there[topic])

        entities = [
            await compare(records(topics.entity(entity.topic)), entity, truth[entity.name]) for entity in named(list(truth))
        ]
        results = [orjson.loads(row.value) async for row in records(topics.results)]
    problems = [f"{row.entity}: the topic and the POS do not agree" for row in entities if not row.complete]
    problems += [*wrong(said, results, stage.pos.effects), *stage.astray()]
    return Findings(entities, said, states, len(stage.books().orders), problems)
