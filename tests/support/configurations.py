"""Configurations, and how they are refused."""

from pathlib import Path

import pytest

from connector.config.load import load
from connector.errors import Misconfigured

SECRET = "s3cret/&?+"


ONE = {"MPLUS_URL": "http://pos:1234", "MPLUS_IDENT": "me", "MPLUS_SECRET": SECRET, "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}


def refused(path: Path | None = None) -> tuple[str, ...]:
    """The problems of a configuration."""
    with pytest.raises(Misconfigured) as raised:
        load(path)
    assert not any("\n" in problem for problem in raised.value.problems)
    return raised.value.problems


def one_of(problems: tuple[str, ...], *parts: str) -> str:
    """The only problem that holds all the parts."""
    (found,) = [problem for problem in problems if all(part in problem for part in parts)]
    return found
