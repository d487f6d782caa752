"""Asking the POS for an audit: its heads, and pages of one entity, read by their tags alone.

The newest operation that the POS knows is asked, and tried anew for each audit, whatever a worker has settled for.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from connector import schemas as schema
from connector.audit.raw import ANY, NotAPageError, Part, Path, RawItem, Shape, items
from connector.clock import Clock
from connector.errors import Refused, Reject, Retry, UnknownOperation, Unreadable
from connector.mplus.client import PosClient
from connector.mplus.operations import OPERATIONS
from connector.source.entities import Choices, Entity, Reading

BODY_BYTES_MAX = 64 << 20
"""Bytes of one answer: a larger one is asked for in smaller parts."""

ATTEMPTS = 3
PAUSE_S = 1.0
"""Before what is not asked for in parts is asked for again."""

WAIT_S_MAX = 60.0
"""Seconds of what a POS asks for, at most."""

Told = TypeVar("Told")


class Asking:
    """Questions about one entity. `operations` are those that answered."""

    def __init__(self, client: PosClient, entity: Entity, choices: Choices, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._entity = entity
        self._choices = choices
        self._shape = shape_of(entity)
        self._readings = list(entity.readings)
        self.operations: set[str] = set()

    async def page(self, marker: int, limit: int) -> list[RawItem]:
        """What the POS shows from a marker on. Raises Retry, Unreadable where it is no page of these, AccessDenied, Refused."""
        for reading in list(self._readings[:-1]):
            try:
                return await self._page(reading, marker, limit)
            except UnknownOperation:
                self._readings.remove(reading)
            except Refused:  # perhaps once only: the next page is asked for in the same way again
                continue
        return await self._page(self._readings[-1], marker, limit)

    async def _page(self, reading: Reading, marker: int, limit: int) -> list[RawItem]:
        name = reading.operation
        body = await self._client.body(name, reading.fields(marker, limit, self._choices), BODY_BYTES_MAX)
        try:
            found = items(body, OPERATIONS[name].response, self._shape)
        except NotAPageError as error:
            raise Unreadable(f"{name}: {error}") from None
        self.operations.add(name)
        return found

    async def rows(self) -> list[RawItem]:
        """A slow list. Raises Retry, Unreadable, AccessDenied, Refused."""
        return await self._patiently(lambda: self.page(0, 0))

    async def head(self) -> int:
        """The highest marker, by the POS. Raises Retry, AccessDenied, Reject."""
        return await self._patiently(self._head)

    async def _patiently(self, ask: Callable[[], Awaitable[Told]]) -> Told:
        for _ in range(ATTEMPTS - 1):
            try:
                return await ask()
            except Retry as error:
                await self._clock.sleep(min(error.after or PAUSE_S, WAIT_S_MAX))
        return await ask()

    async def _head(self) -> int:
        head = self._entity.head
        flag = f"include{head[0].upper()}{head[1:]}"
        try:
            markers = await self._client.numbers("getCurrentSyncMarkersV2", [(flag, True)])
        except Refused:
            markers = await self._client.numbers("getCurrentSyncMarkers")
        if head not in markers:
            raise Reject(f"the POS tells no sync marker of {self._entity.name}")
        return markers[head]


def shape_of(entity: Entity) -> Shape:
    """Where an entity's items lie and what names them, by its row in the table."""
    spec, names = entity.page, schema.load(entity.page.schema)
    markers: list[Path] = []
    if spec.marker is not None:
        markers = [_path(spec.marker)]
        markers += [(spec.marker_within.encode(), ANY, spec.marker.encode())] if spec.marker_within else []
    identity = [Part(_path(path), default, _whole(names, path.split("."))) for path, default in spec.identity]
    deleted = None if spec.deleted is None else _path(spec.deleted)
    return Shape(tuple(name.encode() for name in spec.path), identity, markers, deleted)


def _path(dotted: str) -> Path:
    return tuple(name.encode() for name in dotted.split("."))


def _whole(names: Mapping[str, Any], path: list[str]) -> bool:
    """Whether the element holds a whole number: written in another way it is the same."""
    node = names
    for name in path:
        node = node["properties"][name]
        if "$ref" in node:
            node = names["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return "integer" in node.get("type", "")
