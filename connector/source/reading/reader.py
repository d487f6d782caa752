"""Asking for pages of one entity."""

import time
from collections.abc import Callable
from dataclasses import replace

from connector.errors import Refused, UnknownOperation, Unreadable
from connector.mplus.arrivals import Arrived
from connector.mplus.client import Page, PosClient
from connector.source.entities import Choices, Entity, Reading

NEWER_AGAIN_S = 3600.0
"""Until an operation that the POS does not know is tried again: an administration may have been updated."""


class Reader:
    """Asks pages of one entity, falling back to the operations of older administrations where the newer ones are missing."""

    def __init__(
        self, client: PosClient, entity: Entity, choices: Choices, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._entity = entity
        self._choices = choices
        self._monotonic = monotonic
        self._reading = 0
        self._newer_at = 0.0

    async def page(self, marker: int, limit: int, arrived: Arrived | None = None) -> Page:
        """Items from `marker` on; `arrived` hears their bytes as they come. Raises Retry, AccessDenied, Refused.

        One that cannot be read as it came is asked once more, and read item by item.
        """
        settled = self._reading if self._monotonic() < self._newer_at else 0
        readings = self._entity.readings
        for choice in (*range(settled, len(readings)), *range(settled)):
            try:
                page = await self._read(readings[choice], (marker, limit), arrived)
            except Refused as error:
                refused = error
                if not self._is_missing(choice, error):
                    raise
            else:
                self._settle(choice)
                return page
        raise refused

    def _is_missing(self, choice: int, error: Refused) -> bool:
        """One that was missing is still missing, whatever it is refused with."""
        return isinstance(error, UnknownOperation) or choice < self._reading

    def _settle(self, choice: int) -> None:
        if choice != self._reading or self._monotonic() >= self._newer_at:
            self._reading, self._newer_at = choice, self._monotonic() + NEWER_AGAIN_S

    async def _read(self, reading: Reading, asked: tuple[int, int], arrived: Arrived | None) -> Page:
        fields, spec = reading.fields(*asked, self._choices), self._entity.page
        try:
            return await self._client.page(reading.operation, fields, spec, arrived)
        except Unreadable as error:
            if not error.careful or spec.careful:
                raise
        return await self._client.page(reading.operation, fields, replace(spec, careful=True), arrived)
