"""Asking for pages of one entity."""

from connector.errors import Refused
from connector.mplus.client import Page, PosClient
from connector.source.entities import Choices, Entity


class Reader:
    """Asks pages of one entity, falling back to the operations of older administrations."""

    def __init__(self, client: PosClient, entity: Entity, choices: Choices) -> None:
        self._client = client
        self._entity = entity
        self._choices = choices
        self._reading = 0

    async def page(self, marker: int, limit: int) -> Page:
        """Items from `marker` on. Raises Retry, AccessDenied, Refused."""
        readings = self._entity.readings
        for tried in range(len(readings)):
            choice = (self._reading + tried) % len(readings)
            reading = readings[choice]
            try:
                page = await self._client.page(reading.operation, reading.fields(marker, limit, self._choices), self._entity.page)
            except Refused:
                if tried + 1 == len(readings):
                    raise
            else:
                self._reading = choice
                return page
        raise AssertionError("an entity has at least one reading")
