"""How a sandbox is set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

LimitSemantics = Literal["records", "records-before-filter", "window"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Port 0 takes any free one. `activity` is in changes per second. `items` per entity; `per_entity` names exceptions.

    `limit_semantics`: `records` counts the items that the reader gets to see, `records-before-filter` hidden ones too
    (thin pages), `window` takes the limit for a range of markers. `stock_inclusive`: whether the stock change named in
    sinceStockId is part of the answer. `forget_keys`: after how many seconds idempotency keys are forgotten (None: never,
    0: at once). A share `late` (0 to 1) of all changes is shown `late_seconds` after its marker was given out (infinite: when
    the shop reveals it); `late_counted`: whether heads count such a marker meanwhile. With `tls_cert` and
    `tls_key` (paths, PEM) it serves HTTPS.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    items: int = 200
    per_entity: Mapping[str, int] = field(default_factory=dict)
    activity: float = 0.0
    limit_semantics: LimitSemantics = "records"
    stock_inclusive: bool = True
    forget_keys: float | None = None
    late: float = 0.0
    late_seconds: float = inf
    late_counted: bool = True
    ident: str = "sandbox"
    secret: str = field(default="sandbox", repr=False)
    tls_cert: str | None = None
    tls_key: str | None = None
