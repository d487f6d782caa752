"""The configuration: where it comes from, what is refused, and what can never be printed."""

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from connector.config.load import Config, load
from connector.errors import Misconfigured
from connector.source.entities import named
from connector.wiring import access, chosen_entities, digest
from tests.support.configurations import ONE, SECRET, one_of, refused


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that is complete for one administration."""
    for name, value in ONE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_enough_for_one_administration(one: pytest.MonkeyPatch) -> None:
    """With the defaults of the contract."""
    config = load()

    (shop,) = config.administrations
    assert ("mplus", "http://pos:1234/", "me", SECRET) == (
        shop.administration,
        shop.url,
        shop.ident,
        shop.secret.get_secret_value(),
    )
    settings = config.connector
    assert ("mplus-connector", (), 2, 1000, 10) == (
        settings.group,
        settings.entities,
        settings.poll_interval,
        settings.page_size,
        settings.requests_per_second,
    )
    assert ("127.0.0.1", 8080, 8 << 20, (), "console") == (
        settings.http_host,
        settings.http_port,
        settings.max_event_bytes,
        settings.keep,
        settings.log_format,
    )
    assert 16 == len(chosen_entities(config))


def test_nothing_set_names_everything_that_is_missing() -> None:
    """All of it at once, each with the variable to set."""
    problems = refused()
    for name in ("MPLUS_URL", "MPLUS_IDENT", "MPLUS_SECRET", "KAFKA_BOOTSTRAP_SERVERS"):
        one_of(problems, name)


def test_every_problem_is_named_at_once(one: pytest.MonkeyPatch) -> None:
    """Of all sections together; the names of variables are spelled as they are set, and no value of a secret is shown."""
    wrong = {
        "MPLUS_URL": f"ftp://pos?secret={SECRET}",
        "MPLUS_ADMINISTRATION": "Shop 1",
        "MPLUS_CAFILE": "/no/such/file",
        "KAFKA_SECURITY_PROTOCOL": "TLS",
        "CONNECTOR_PAGE_SIZE": "10001",
        "CONNECTOR_POLL_INTERVAL": "soon",
        "CONNECTOR_KEEP": "password,imageData,nose",
        "CONNECTOR_HTTP_PORT": "70000",
        "CONNECTOR_LOG_LEVEL": "loud",
    }
    for name, value in wrong.items():
        one.setenv(name, value)
    problems = refused()

    for name in wrong:
        one_of(problems, f"{name}: ")
    assert SECRET not in str(problems)
    keep = one_of(problems, "CONNECTOR_KEEP")
    assert "nose" in keep
    assert "imageData" in keep


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MPLUS_URL", "pos:1234"),
        ("MPLUS_URL", "http://ident:secret@pos:1234"),
        ("MPLUS_URL", "http://pos:1234/?ident=me&secret=x"),
        ("MPLUS_URL", "http://pos:99999"),
        ("MPLUS_URL", "http://[::1"),
        ("MPLUS_URL", ""),
        ("MPLUS_IDENT", ""),
        ("MPLUS_SECRET", ""),
        ("MPLUS_ADMINISTRATION", "-x"),
        ("MPLUS_TIMEOUT", "0"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("KAFKA_BOOTSTRAP_SERVERS", '"kafka:9092"'),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:99999"),
        ("KAFKA_BOOTSTRAP_SERVERS", "http://kafka:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092,,kafka-2:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[::1"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka..example:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", f"{'k' * 64}.example:9092"),
        ("KAFKA_SSL_CAFILE", "/no/such/file"),
        ("CONNECTOR_GROUP", "a b"),
        ("CONNECTOR_PAGE_SIZE", "0"),
        ("CONNECTOR_REQUESTS_PER_SECOND", "0"),
        ("CONNECTOR_MAX_EVENT_BYTES", "1000"),
        ("CONNECTOR_WORK_PARTITIONS", "0"),
        ("CONNECTOR_LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_cannot_work_is_refused(one: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Before anything is started, under the name of its variable."""
    one.setenv(name, value)
    one_of(refused(), name)


def test_a_secret_file_is_read(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """MPLUS_SECRET_FILE, as orchestrators mount secrets."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    one.delenv("MPLUS_SECRET")
    one.setenv("MPLUS_SECRET_FILE", str(tmp_path / "secret"))

    assert SECRET == load().administrations[0].secret.get_secret_value()


@pytest.mark.parametrize("servers", ["kafka", "kafka:9092", "127.0.0.1:1, k-2.example:65535", "[::1]:9092", "käfka.example:9092"])
def test_brokers_are_taken_as_clients_take_them(one: pytest.MonkeyPatch, servers: str) -> None:
    """A name or an address of either kind; Kafka's own port where none is given."""
    one.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)
    assert servers == load().kafka.bootstrap_servers


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf%s\r\n", b"\n %s \n"])
def test_a_secret_file_is_read_however_an_editor_wrote_it(tmp_path: Path, one: pytest.MonkeyPatch, content: bytes) -> None:
    """With the mark of UTF-8 before it, or a line's end behind; in the environment likewise."""
    (tmp_path / "secret").write_bytes(content % SECRET.encode())
    one.setenv("MPLUS_SECRET", f"{SECRET}\n")
    assert SECRET == load().administrations[0].secret.get_secret_value()
    one.setenv("MPLUS_SECRET_FILE", str(tmp_path / "secret"))
    assert SECRET == load().administrations[0].secret.get_secret_value()


@pytest.mark.parametrize("name", ["MPLUS_CAFILE", "MPLUS_SECRET_FILE", "KAFKA_SSL_CAFILE"])
def test_a_file_that_is_set_but_empty_is_not_set(one: pytest.MonkeyPatch, name: str) -> None:
    """As compose files do with what nobody filled in."""
    one.setenv(name, "")
    assert load().administrations[0].cafile is None


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """Not what its bytes are."""
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00s")
    one.setenv("MPLUS_SECRET_FILE", str(tmp_path / "secret"))
    assert any("secret: its file cannot be read" in problem for problem in refused())


def test_an_empty_secret_file_is_refused(tmp_path: Path, one: pytest.MonkeyPatch) -> None:
    """It is as good as none."""
    (tmp_path / "secret").write_text("\n")
    one.setenv("MPLUS_SECRET_FILE", str(tmp_path / "secret"))
    assert any("MPLUS_SECRET" in problem for problem in refused())


def test_no_dump_of_the_configuration_shows_a_secret(one: pytest.MonkeyPatch) -> None:
    """Neither repr nor str nor JSON, nor its parts, nor what a validation error quotes."""
    one.setenv("KAFKA_SASL_PASSWORD", "kafka-s3cret")
    config = load()
    (shop,) = config.administrations
    dumps = [repr(config), str(config), config.model_dump_json(), str(config.model_dump()), repr(shop), str(shop.model_dump())]
    dumps += [repr(config.kafka), config.kafka.model_dump_json(), repr(access(shop, 10)), digest(config)]
    for dump in dumps:
        assert SECRET not in dump
        assert "kafka-s3cret" not in dump
    with pytest.raises(ValidationError) as raised:
        Config(kafka=config.kafka, connector=config.connector, administrations=SECRET)  # type: ignore[arg-type]
    assert SECRET not in str(raised.value)
    assert config == pickle.loads(pickle.dumps(config))


def test_the_configuration_cannot_be_changed(one: pytest.MonkeyPatch) -> None:
    """It is read once."""
    config = load()
    with pytest.raises(ValidationError):
        config.connector.page_size = 5


@pytest.mark.parametrize("name", ["KAFKA", "CONNECTOR", "ADMINISTRATIONS", "KAFKA_PORT", "KAFKA_SERVICE_HOST", "CONNECTOR_PORT"])
def test_variables_of_others_do_no_harm(one: pytest.MonkeyPatch, name: str) -> None:
    """Kubernetes sets some of them for services of these names."""
    before = load()
    one.setenv(name, "tcp://10.0.0.1:9092")
    assert before == load()


def test_entities_are_chosen_by_either_name(one: pytest.MonkeyPatch) -> None:
    """In the singular as in the table, or by the topic's word; the order and repetition do not matter."""
    one.setenv("CONNECTOR_ENTITIES", "purchase-orders, order ,orders")
    assert ["order", "purchaseOrder"] == [entity.name for entity in chosen_entities(load())]


def test_an_unknown_entity_is_refused_with_those_there_are(one: pytest.MonkeyPatch) -> None:
    """All unknown ones at once."""
    with pytest.raises(Misconfigured, match=r"unknown entities bill, tip: use article, .*orderCategory"):
        named(["bill", "order", "tip"])


def test_what_may_be_kept_is_kept(one: pytest.MonkeyPatch) -> None:
    """Several words, with spaces."""
    one.setenv("CONNECTOR_KEEP", "password, thumbData")
    assert ("password", "thumbData") == load().connector.keep


@pytest.mark.parametrize("zone", ["Nowhere/City", "", " ", "../etc/passwd", "/etc/localtime", "Europe", "+01:00"])
def test_a_time_zone_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Before anything starts: a day that begins at the wrong hour is seen by nobody."""
    for name, value in ONE.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setenv("CONNECTOR_TIME_ZONE", zone)
    assert one_of(refused(), "CONNECTOR_TIME_ZONE", "no time zone of this name")
    monkeypatch.setenv("CONNECTOR_TIME_ZONE", "Asia/Kolkata")
    assert one_of(refused(), "CONNECTOR_TIME_ZONE", "no time zone with a half hour in it")
    monkeypatch.setenv("CONNECTOR_TIME_ZONE", "America/Curacao")
    assert "America/Curacao" == load().connector.time_zone
