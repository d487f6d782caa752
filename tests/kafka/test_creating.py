"""Making topics, with a broker that answers as it is told: what real brokers say seldom, and not on demand."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from connector.errors import Fatal
from connector.kafka import creating
from connector.kafka.creating import Topic, create

FENCED = "Unable to replicate the partition 1 time(s): All brokers are currently fenced."
TOO_FEW = "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached."
NOT_NOW = [(38, FENCED), (7, "timed out"), (41, "no controller"), (89, "quota")]


class Scripted:
    """The admin client of a broker that says these things, one for each request, and then makes what it is asked for."""

    def __init__(self, answers: Iterable[tuple[int, str]]) -> None:
        self._answers = list(answers)
        self.made: list[str] = []

    async def create_topics(self, topics: Sequence[Any], *, validate_only: bool) -> Any:
        """One answer for all of them."""
        assert not validate_only
        code, words = self._answers.pop(0) if self._answers else (0, "")
        self.made += [topic.name for topic in topics if not code]
        return SimpleNamespace(topic_errors=[(topic.name, code, words) for topic in topics])

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """All that were made, each with a leader."""
        return [{"topic": name, "partitions": [{"leader": 1}] if name in self.made else []} for name in names]


@pytest.mark.parametrize("answer", NOT_NOW, ids=[words for _, words in NOT_NOW])
async def test_what_a_broker_puts_off_is_asked_for_again(answer: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that starts, or is busy: its brokers are there, and the controller has not heard of them for a moment."""
    monkeypatch.setattr(creating, "AGAIN_S", 0.0)
    admin: Any = Scripted([answer] * 3)
    await create(admin, [Topic("shop.orders", 1, 1, {}), Topic("shop.stock", 1, 1, {})])

    assert ["shop.orders", "shop.stock"] == admin.made


async def test_brokers_that_stay_away_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the broker's own words, once it has had its time."""
    monkeypatch.setattr(creating, "AGAIN_S", 0.0)
    monkeypatch.setattr(creating, "WITHIN_S", -1.0)
    admin: Any = Scripted([(38, FENCED)])
    with pytest.raises(Fatal, match=r"shop\.orders cannot be created: .* currently fenced: try again when the brokers are up"):
        await create(admin, [Topic("shop.orders", 1, 1, {})])


async def test_too_few_brokers_are_said_at_once() -> None:
    """Waiting makes no more of them."""
    admin: Any = Scripted([(38, TOO_FEW)])
    with pytest.raises(Fatal, match="set CONNECTOR_REPLICATION to at most the number of brokers"):
        await create(admin, [Topic("shop.orders", 1, 3, {})])
    assert [] == admin.made
