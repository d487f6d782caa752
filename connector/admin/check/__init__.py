"""What `check` looks at: one finding per line; nothing is changed anywhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from connector.admin.check.finding import Finding, problem
from connector.admin.check.pos import pos
from connector.admin.check.records import topics
from connector.cancellation import end
from connector.config.load import Administration, Config
from connector.errors import ConnectorError
from connector.kafka.authorization import denied
from connector.kafka.configured import cluster_of
from connector.kafka.topics import existing, problems
from connector.messages.topics import Topics, commands_group, pollers_group, work_topic
from connector.wiring import chosen_entities
from connector.wiring.deployment import foreign
from connector.wiring.deployment import problems as problems_of_owners
from connector.wiring.descriptors import too_few
from connector.wiring.topics import plan

__all__ = ["Finding", "everything"]

AT_ONCE = 16
"""Administrations that are looked at at the same time."""

MISSING_SHOWN = 40
"""Topics that are named as missing, at most."""


async def everything(config: Config) -> AsyncIterator[Finding]:
    """All findings, as they come; those of an administration stand together."""
    yield Finding("ok", "configuration is complete")
    for line in too_few(config):
        yield Finding("problem", line)
    there: dict[str, int] = {}
    async for finding in _kafka(config, there):
        yield finding
    if there:
        async for finding in _each(config, partial(topics, config, there)):
            yield finding
    async for finding in _each(config, partial(pos, config)):
        yield finding


async def _each(config: Config, look: Callable[[Administration], Awaitable[list[Finding]]]) -> AsyncIterator[Finding]:
    """The findings of each administration, in the order of the configuration; some are looked at in advance."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def looked(administration: Administration) -> list[Finding]:
        async with turns:
            try:
                return await look(administration)
            except Exception as error:  # whatever one POS answers: the others are looked at, too
                return [problem(administration.administration, error)]

    looking = [asyncio.create_task(looked(administration)) for administration in config.administrations]
    try:
        for task in looking:
            for finding in await task:
                yield finding
    finally:
        await end(looking)


async def _kafka(config: Config, there: dict[str, int]) -> AsyncIterator[Finding]:
    """Fills in the topics there are, and their partitions."""
    cluster, wanted = cluster_of(config.kafka), plan(config, chosen_entities(config))
    try:
        with cluster.reaching():
            there |= await existing(cluster)
            wrong = await problems(cluster, wanted)
            wrong += await denied(cluster, wanted, _groups(config), f"{config.connector.group}.check")
        wrong += problems_of_owners(await foreign(config))
    except ConnectorError as error:
        yield Finding("problem", str(error))
        return
    yield Finding("ok", f"Kafka answers at {config.kafka.bootstrap_servers}")
    for line in wrong:
        yield Finding("problem", line)
    missing = [topic.name for topic in wanted if topic.name not in there]
    yield Finding("note", _to_come(missing)) if missing else Finding("ok", "all topics are there")


def _to_come(missing: Sequence[str]) -> str:
    shown = ", ".join(missing[:MISSING_SHOWN]) + (", …" if len(missing) > MISSING_SHOWN else "")
    return f"`run` will create {len(missing)} topic{'s' * (len(missing) > 1)}: {shown}"


def _groups(config: Config) -> dict[str, str]:
    """The consumer groups, each with a topic of its."""
    group = config.connector.group
    return {
        pollers_group(group): work_topic(group),
        commands_group(group): Topics(config.administrations[0].administration).commands,
    }
