"""The program when something is wrong: one clear line each, the exit code of the contract, no traceback, no secret."""

import json
import socket

import pytest

from connector.sandbox import Sandbox, SandboxOptions
from tests.support.program import SECRET, at, ended, environment

NOWHERE = "127.0.0.1:9"
KAFKA_VERBS = [("run",), ("status", "--json"), ("tail", "order", "--from-marker", "1", "--json")]
ALL = [("run",), ("check",), ("status",), ("tail", "order")]


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
async def test_a_wrong_configuration_names_every_problem_and_starts_nothing(verb: tuple[str, ...]) -> None:
    """One line per problem, exit code 2."""
    outcome = await ended(*verb, env=environment(MPLUS_SECRET=SECRET, CONNECTOR_PAGE_SIZE="many", CONNECTOR_LOG_FORMAT="xml"))

    assert 2 == outcome.code
    assert "" == outcome.out
    for name in ("MPLUS_URL", "MPLUS_IDENT", "KAFKA_BOOTSTRAP_SERVERS", "CONNECTOR_PAGE_SIZE", "CONNECTOR_LOG_FORMAT"):
        assert 1 == len([line for line in outcome.errors if name in line])
    assert 5 == len(outcome.errors)
    assert all(line.startswith("error: ") for line in outcome.errors)


async def test_a_file_that_is_not_there_is_a_wrong_configuration() -> None:
    """With its name."""
    outcome = await ended("run", "--config", "no-such.toml", env=environment())
    assert 2 == outcome.code
    (line,) = outcome.errors
    assert "no-such.toml" in line


@pytest.mark.parametrize("verb", KAFKA_VERBS, ids=" ".join)
async def test_an_unreachable_kafka_is_one_line(verb: tuple[str, ...], prefix: str) -> None:
    """Which names the address and what to check."""
    outcome = await ended(*verb, env=at("http://127.0.0.1:9", NOWHERE, prefix))

    assert 1 == outcome.code
    assert "" == outcome.out
    (line,) = outcome.errors
    assert line.startswith(f"error: Kafka cannot be reached at {NOWHERE}: nobody listens there: check KAFKA_BOOTSTRAP_SERVERS")


@pytest.mark.parametrize("as_json", [False, True])
async def test_check_finds_kafka_and_pos_unreachable_at_once(as_json: bool, prefix: str) -> None:
    """Both findings, on stdout; nothing on stderr."""
    flags = ("--json",) if as_json else ()
    outcome = await ended("check", *flags, env=at("http://127.0.0.1:9", NOWHERE, prefix))

    assert 1 == outcome.code
    assert [] == outcome.errors
    if as_json:
        problems = [row["text"] for row in map(json.loads, outcome.out.splitlines()) if row["kind"] == "problem"]
    else:
        problems = [line for line in outcome.out.splitlines() if line.startswith("✗")]
    assert 2 == len(problems)
    assert any(f"Kafka cannot be reached at {NOWHERE}" in problem for problem in problems)
    assert any(f"{prefix}: " in problem and "check MPLUS_URL" in problem for problem in problems)


async def test_check_finds_a_wrong_secret(bootstrap: str, prefix: str) -> None:
    """One finding that says what to check; the secret is not shown."""
    async with Sandbox(SandboxOptions(items=1)) as pos:
        env = at(pos, bootstrap, prefix) | {"MPLUS_SECRET": SECRET}
        outcome = await ended("check", env=env)

    assert 1 == outcome.code
    assert [] == outcome.errors
    (problem,) = [line for line in outcome.out.splitlines() if line.startswith("✗")]
    assert "MPLUS_IDENT and MPLUS_SECRET" in problem


async def test_a_taken_http_port_is_one_line(bootstrap: str, prefix: str) -> None:
    """With the setting to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = at("http://127.0.0.1:9", bootstrap, prefix) | {"CONNECTOR_HTTP_PORT": str(port)}
        outcome = await ended("run", env=env)

    assert 1 == outcome.code
    (line,) = outcome.errors
    assert f"127.0.0.1:{port}" in line
    assert "CONNECTOR_HTTP_PORT" in line


@pytest.mark.parametrize("verb", ALL, ids=" ".join)
async def test_an_unknown_entity_in_the_configuration_is_one_line(verb: tuple[str, ...], prefix: str) -> None:
    """With the names there are."""
    arguments = ("tail", "bill") if verb[0] == "tail" else verb
    outcome = await ended(*arguments, env=at("http://127.0.0.1:9", NOWHERE, prefix, CONNECTOR_ENTITIES="order,bill"))

    assert 2 == outcome.code
    (line,) = outcome.errors
    assert "bill" in line
    assert "use article, " in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--nonsense"), "--nonsense"),
        (("nonsense",), "nonsense"),
        (("tail",), "entity"),
        (("tail", "order", "--from-marker", "soon"), "--from-marker"),
        (("run", "--roles", "source,dishes"), "dishes"),
        (("sandbox", "--limit-semantics", "both"), "--limit-semantics"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_wrong_usage_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, and what was wrong."""
    outcome = await ended(*arguments, env=environment())

    assert 2 == outcome.code
    assert "" == outcome.out
    (line,) = outcome.errors
    assert said in line


async def test_nothing_asked_for_is_the_help() -> None:
    """And no error beside it."""
    outcome = await ended(env=environment())
    assert 2 == outcome.code
    assert [] == outcome.errors
    assert "check" in outcome.out


async def test_positions_of_another_deployment_are_one_line(bootstrap: str, prefix: str) -> None:
    """`run` refuses, `check` finds it: with the way out."""
    from tests.support.source.polling import configuration, level, working

    async with Sandbox(SandboxOptions(items=2)) as pos:
        async with working(configuration(bootstrap, prefix, pos)) as worker:
            await level(worker, pos, ["order"])
        env = at(pos, bootstrap, prefix) | {"CONNECTOR_GROUP": f"{prefix}-b"}
        refused, found = await ended("run", env=env), await ended("check", env=env)

    assert (1, 1) == (refused.code, found.code)
    (line,) = [line for line in refused.errors if line.startswith("error: ")]
    (problem,) = [line for line in found.out.splitlines() if line.startswith("✗")]
    for text in (line, problem):
        assert f"belong to the deployment {prefix}" in text
        assert "--adopt" in text


async def test_topics_that_would_lose_data_are_one_line_each(bootstrap: str, prefix: str) -> None:
    """All of them at once."""
    from tests.support.kafka.topics import create_topic

    await create_topic(bootstrap, f"{prefix}.orders", cleanup_policy="delete")
    await create_topic(bootstrap, f"{prefix}.stock", cleanup_policy="compact")
    outcome = await ended("run", env=at("http://127.0.0.1:9", bootstrap, prefix))

    assert 1 == outcome.code
    lines = [line for line in outcome.errors if "cleanup.policy" in line]
    assert 2 == len(lines)
    assert all(line.startswith(f"error: topic {prefix}.") for line in outcome.errors)
