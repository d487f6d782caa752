"""What the values of settings must look like: each check returns the value, or raises ValueError in words."""

import re
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

BROKER = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/\[\]\"'@]+)(?::([0-9]{1,5}))?")
"""A broker's address; without a port it is Kafka's own."""

KEEPABLE = ("password", "rfid", "imageData", "thumbData")
"""Elements left out of events unless CONNECTOR_KEEP names them: credentials and pictures."""


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def keepable(words: tuple[str, ...]) -> tuple[str, ...]:
    """Elements that may be kept."""
    if unknown := [word for word in words if word not in KEEPABLE]:
        raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(KEEPABLE)}")
    return words


def http_url(url: str) -> str:
    """An address without ident, secret or query."""
    try:
        fine = re.fullmatch(r"https?://[^\s?#@]+", url) and urlsplit(url).port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("not an address like https://api.mpluskassa.nl:12345 (without ident, secret or query)")
    return url.rstrip("/") + "/"


def brokers(servers: str) -> str:
    """What aiokafka would end with a traceback over: quotes, a word as port, http://, a name that no resolver takes."""
    told = [BROKER.fullmatch(server.strip()) for server in servers.split(",")]
    with suppress(UnicodeError):
        if all(one and 0 < int(one[2] or 9092) < 65536 and one[1].encode("idna") for one in told):
            return servers
    raise ValueError("not brokers as host:port, comma-separated (without quotes, without http://)")


def zone(name: str) -> str:
    """The name of a time zone."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  only `views` needs it

    try:
        there = ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError("no time zone of this name, such as Europe/Amsterdam") from None
    offsets = (datetime(2026, month, 1, tzinfo=there).utcoffset() for month in (1, 7))
    if any(offset is None or offset % timedelta(hours=1) for offset in offsets):
        raise ValueError("figures are kept by hours of UTC: no time zone with a half hour in it")
    return name


def present(secret: SecretStr) -> SecretStr:
    """A secret that is not empty."""
    if not secret.get_secret_value():
        raise ValueError("is not set, nor MPLUS_SECRET_FILE")
    return secret


def _file_readable(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError("no such file")
    return path


Brokers = Annotated[str, AfterValidator(brokers)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
File = Annotated[Path | None, BeforeValidator(lambda given: given or None), AfterValidator(_file_readable)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
