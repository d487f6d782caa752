"""Polling that goes on whatever happens: what nobody foresaw costs one shard, is told, waited out and tried again."""

from collections.abc import Callable
from typing import Protocol

from connector.cancellation import cancel_wins
from connector.clock import Clock
from connector.errors import Fatal, Fenced, TransactionLost
from connector.kafka.walls import in_a_line
from connector.source.state import ShardState


class Polling(Protocol):
    """A poller of any kind."""

    async def run(self) -> None:
        """Poll until cancelled."""


async def polling(make: Callable[[], Polling], shard_state: ShardState, clock: Clock) -> None:
    """Poll until cancelled, each time from where things stand. Raises what concerns more than the shard."""
    await clock.sleep(shard_state.refused_for())
    while True:
        try:
            with cancel_wins():
                await make().run()
        except (Fenced, TransactionLost, Fatal):
            raise
        except Exception as error:
            await clock.sleep(shard_state.broken(in_a_line(error)))
