"""The settings there are: a section each for Kafka, an administration, and the connector itself.

Field descriptions say unit and default for help and docs; secrets cannot be printed.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connector.config.values import KEEPABLE, File, Name, Seconds, Words, brokers, http_url, keepable, present, zone


class Section(BaseSettings):
    """Environment wins over file."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class Kafka(Section):
    """`[kafka]` in the file, KAFKA_… in the environment."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    bootstrap_servers: Annotated[str, AfterValidator(brokers)] = Field(
        min_length=1, description="brokers, host:port, comma-separated"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how brokers are spoken to"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("PLAIN", description="SASL mechanism")
    sasl_username: str = Field("", description="SASL user")
    sasl_password: SecretStr = Field(SecretStr(""), description="SASL password")
    ssl_cafile: File = Field(None, description="authorities that sign the brokers' certificates; default: the system's")
    ssl_certfile: File = Field(None, description="own certificate, where brokers ask for one")
    ssl_keyfile: File = Field(None, description="own key")


class Administration(Section):
    """`[[administrations]]` in the file, MPLUS_… in the environment (for one)."""

    model_config = SettingsConfigDict(env_prefix="MPLUS_")

    administration: Name = Field("mplus", description="the administration's name: prefix of its topics")
    url: Annotated[str, AfterValidator(http_url)] = Field(description="the POS's address with its port, without ident and secret")
    ident: str = Field(min_length=1, description="API ident")
    secret: Annotated[SecretStr, AfterValidator(present)] = Field(
        description="API secret; in the file also `env:NAME` or `file:PATH`"
    )
    secret_file: File = Field(None, description="file that holds the API secret")
    cafile: File = Field(None, description="authorities that sign the POS's certificate; default: the system's")
    connect_timeout: Seconds = Field(10, description="seconds to connect to the POS")
    timeout: Seconds = Field(600, description="seconds for one call in all, as long as the vendor's own clients wait")

    @model_validator(mode="before")
    @classmethod
    def _resolve_secret(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "secret": _secret(values)} if isinstance(values, dict) else values


def _secret(values: dict[str, Any]) -> str:
    given = values.get("secret") or ""
    text = given.get_secret_value() if isinstance(given, SecretStr) else str(given)
    path = values.get("secret_file") or (text.removeprefix("file:") if text.startswith("file:") else None)
    if path and Path(path).is_file():
        return _text(Path(path))
    if text.startswith("env:"):
        return os.environ.get(text.removeprefix("env:"), "").strip()
    return "" if text.startswith("file:") else text.strip()


def _text(path: Path) -> str:
    """The secret in a file, however an editor wrote it."""
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"secret: its file cannot be read ({type(error).__name__})") from None


class OneOfSeveral(Administration):
    """A row among several: the environment names only one, so it does not apply."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Connector(Section):
    """`[connector]` in the file, CONNECTOR_… in the environment."""

    model_config = SettingsConfigDict(env_prefix="CONNECTOR_")

    group: Name = Field("mplus-connector", description="the deployment's name: consumer groups, transactional ids, work topic")
    entities: Words = Field((), description="entities to read, comma-separated; default: all")
    keep: Annotated[Words, AfterValidator(keepable)] = Field(
        (), description=f"elements to keep in events, of {', '.join(KEEPABLE)}"
    )
    order_types: Words = Field(
        (), description="order types that getOrders shall return, comma-separated; default: the POS's own choice"
    )
    poll_interval: Annotated[float, Field(ge=0.05, le=3600)] = Field(2, description="seconds between two looks at the heads")
    lists_interval: Annotated[float, Field(ge=0.05, le=86400)] = Field(
        300, description="seconds between two looks at delivery methods and order categories"
    )
    page_size: Annotated[int, Field(ge=1, le=10000)] = Field(1000, description="syncMarkerLimit")
    late_markers: Annotated[int, Field(ge=0, le=100_000)] = Field(
        1000, description="how many sync markers back an item that becomes visible late is waited for; 0: not at all"
    )
    late_window: Annotated[float, Field(ge=0, le=86400)] = Field(
        60, description="seconds for which an item that becomes visible late is waited for"
    )
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = Field(
        10, description="most requests per administration and worker"
    )
    audit_requests_per_second: Annotated[float, Field(gt=0, le=1000)] = Field(
        2, description="most requests per second of an `audit`, and of a worker that looks for what is said to be gone"
    )
    bytes_in_flight: Annotated[int, Field(ge=1 << 20)] = Field(
        12 << 20, description="bytes of encoded events read ahead per worker, and as many of order commands"
    )
    max_event_bytes: Annotated[int, Field(ge=64 << 10, le=512 << 20)] = Field(
        8 << 20, description="largest event; larger items become dead letters"
    )
    work_partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        8, description="work partitions: the most workers that share the work; fixed once created"
    )
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(4, description="partitions of topics that are created")
    replication: Annotated[int, Field(ge=1, le=9)] = Field(1, description="replication factor of topics that are created")
    min_insync_replicas: Annotated[int, Field(ge=1, le=9)] = Field(
        1, description="min.insync.replicas of topics that are created"
    )
    stock_retention: Annotated[int, Field(ge=-1)] = Field(
        -1, description="days that the stock topic keeps its changes; -1: for ever"
    )
    dead_letters_retention: Annotated[int, Field(ge=-1)] = Field(365, description="days that dead letters are kept; -1: for ever")
    compression: Literal["zstd", "lz4", "snappy", "gzip", "none"] = Field("zstd", description="how batches are compressed")
    command_partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        8,
        description="partitions of the command topics: the most workers that share the commands; fixed once created",
    )
    commands_in_flight: Annotated[int, Field(ge=1, le=1000)] = Field(
        16, description="calls of the POS at once per command partition; commands of one key are always one after the other"
    )
    answer_deadline: Annotated[float, Field(ge=0.1, le=86400)] = Field(
        600, description="seconds a POS may still be at work on a call whose answer never came"
    )
    unknown_after: Annotated[float, Field(ge=0.1, le=86400)] = Field(
        900, description="seconds after which a command that alone always fails is given up, its outcome called unknown"
    )
    commands_retention: Annotated[int, Field(ge=1, le=3650)] = Field(7, description="days that commands are kept")
    results_retention: Annotated[int, Field(ge=-1)] = Field(30, description="days that results are kept; -1: for ever")
    ledger_retention: Annotated[int, Field(ge=3, le=3650)] = Field(
        30, description="days that repeated commands are recognised; at least two more than commands are kept"
    )
    session_timeout: Annotated[float, Field(ge=1, le=60)] = Field(
        10, description="seconds after which a silent worker's work is taken over"
    )
    http_host: str = Field("127.0.0.1", description="where health, metrics and status are served")
    http_port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="port for them; 0: any")
    views_http_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8081, description="port of `views`: the dashboard, health, metrics; 0: any"
    )
    views_data: Path | None = Field(
        None, description="directory in which `views` keeps its tables, one for each worker; default: in memory"
    )
    time_zone: Annotated[str, AfterValidator(zone)] = Field(
        "Europe/Amsterdam",
        description="time zone of the tills, by its IANA name, without half hours: a day on the page begins at its midnight",
    )
    log_format: Literal["console", "json"] = Field("console", description="log lines for people or for machines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @model_validator(mode="after")
    def _remembers_long_enough(self) -> "Connector":
        if self.ledger_retention < self.commands_retention + 2:  # a day for the open segment of commands, and one to spare
            raise ValueError("CONNECTOR_LEDGER_RETENTION must be at least two days more than CONNECTOR_COMMANDS_RETENTION")
        return self
