"""Where Kafka comes from, and what is said and left behind when it cannot be had."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector.local_kafka.broker import SETTINGS, claim_port, essence, listens
from connector.local_kafka.container import environment
from connector.local_kafka.jvm import JvmBroker, fetched_jars, shared_classes, start_jvm
from connector.local_kafka.start import Broker, KafkaUnavailable, start_kafka

GOOD_MAVEN = 'echo run >>"$RUNS"; mkdir -p "$out"; sleep 0.2; touch "$out/a.jar" "$out/b.jar"'
FAILING_MAVEN = 'mkdir -p "$out"; touch "$out/a.jar"; echo "[ERROR] Could not resolve dependencies"; exit 1'
HANGING_MAVEN = 'mkdir -p "$out"; touch "$out/a.jar" "$RUNS"; sleep 600'


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing but a shell: no Docker, no Java, no Maven, an empty cache. Returns its one directory of programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "touch", "sleep"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return programs


@pytest.fixture
def maven(bare: Path) -> Callable[[str], None]:
    """Puts a program named mvn on the bare machine that does what the given shell lines say; $out is where the jars belong."""

    def put(lines: str) -> None:
        find = 'for word; do case "$word" in -DoutputDirectory=*) out="${word#*=}";; esac; done'
        (bare / "mvn").write_text(f"#!{bare}/sh\n{find}\n{lines}\n")
        (bare / "mvn").chmod(0o755)

    return put


@pytest.fixture
def children() -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Starts Python programs that end with the test at the latest."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-c", textwrap.dedent(program)]
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for child in started:
        with child:
            child.kill()


def soon(true: Callable[[], bool], within: float = 10) -> bool:
    """Whether it becomes true within that many seconds."""
    deadline = time.monotonic() + within
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


@pytest.mark.usefixtures("bare")
def test_without_docker_and_java_one_line_says_what_to_install() -> None:
    """On a machine that has nothing, the error is one line which names all three ways out."""
    with pytest.raises(KafkaUnavailable) as raised:
        start_kafka(say=pytest.fail)
    message = str(raised.value)
    assert "\n" not in message
    assert all(way in message for way in ("KAFKA_BOOTSTRAP_SERVERS", "Docker", "openjdk-17-jre-headless maven"))


def test_java_without_maven_says_so(bare: Path) -> None:
    """Java alone is not enough the first time: the line names mvn."""
    (bare / "java").symlink_to(bare / "sh")
    with pytest.raises(KafkaUnavailable, match=r"no mvn to fetch one.*Maven"):
        start_kafka(say=pytest.fail)


def test_a_given_address_wins(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """KAFKA_BOOTSTRAP_SERVERS is used as it is, and that Kafka is neither killed nor stopped by us."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap)
    with start_kafka(say=pytest.fail) as given:
        assert (given.bootstrap, given.origin, given.ours) == (kafka.bootstrap, "given address", False)
        with pytest.raises(KafkaUnavailable, match="not ours to kill"):
            given.kill()
        with pytest.raises(KafkaUnavailable, match="not ours to restart"):
            given.restart()
    assert kafka.alive()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "localhost:port"])
def test_a_wrong_address_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address at which nothing answers, or which is none, is an error that repeats it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", address)
    with pytest.raises(KafkaUnavailable, match=f"no Kafka answers at {address}"):
        start_kafka(say=pytest.fail)


def test_a_failed_fetch_leaves_no_cache(maven: Callable[[str], None]) -> None:
    """When Maven fails half-way, its own error is reported, and the next try starts afresh."""
    maven(FAILING_MAVEN)
    with pytest.raises(KafkaUnavailable, match=r"Maven could not fetch .*: Could not resolve dependencies$"):
        fetched_jars(lambda _: None)
    maven(GOOD_MAVEN)
    assert {jar.name for jar in fetched_jars(lambda _: None).iterdir()} == {"a.jar", "b.jar"}


def test_a_killed_fetch_leaves_no_half_cache(
    maven: Callable[[str], None], children: Callable[[str], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    """After SIGKILL in the middle of fetching, Maven is gone too and the half directory is not used but removed."""
    maven(HANGING_MAVEN)
    child = children("from connector.local_kafka.jvm import fetched_jars; fetched_jars(print)")
    assert soon((tmp_path / "runs").exists)
    child.kill()
    maven(GOOD_MAVEN)
    jars = fetched_jars(lambda _: None)
    assert {jar.name for jar in jars.iterdir()} == {"a.jar", "b.jar"}
    assert not list(jars.parent.glob("fetching-*"))


def test_two_that_start_at_once_fetch_once(maven: Callable[[str], None], tmp_path: Path) -> None:
    """Demo and tests started together share one fetch."""
    maven(GOOD_MAVEN)
    with ThreadPoolExecutor() as pool:
        assert len(set(pool.map(fetched_jars, [lambda _: None] * 4))) == 1
    assert (tmp_path / "runs").read_text().split() == ["run"]


def test_claimed_ports_are_distinct_and_come_back() -> None:
    """A claimed port is nobody else's until the claim is closed."""
    claims = [claim_port() for _ in range(50)]
    ports = [claim.getsockname()[1] for claim in claims]
    for claim in claims:
        claim.close()
    assert len(set(ports)) == 50


def test_a_failed_start_says_why_in_one_line(jars: Path, tmp_path: Path) -> None:
    """The reason that the broker gives in its log is the error's text, and nothing of it keeps running."""
    broker = JvmBroker(jars, tmp_path, keep=True)
    host, port = broker.bootstrap.split(":")
    with socket.create_server((host, int(port))), broker, pytest.raises(KafkaUnavailable) as raised:
        broker.restart()
    assert str(raised.value) == f"Kafka did not start: Socket server failed to bind to {host}:{port}: Address already in use."
    assert not broker.alive()


@pytest.mark.usefixtures("jars")
def test_no_broker_outlives_a_killed_parent(
    children: Callable[[str], "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SIGKILL for the process that started Kafka ends Kafka as well."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what the killed one cannot clear away, pytest does
    child = children("""
        import time
        from connector.local_kafka.jvm import start_jvm
        print(start_jvm(None, lambda _: None).bootstrap, flush=True)
        time.sleep(600)
    """)
    assert child.stdout
    address = child.stdout.readline().strip()
    assert listens(address)
    os.kill(child.pid, signal.SIGKILL)
    assert soon(lambda: not listens(address))


def test_the_image_gets_the_same_settings() -> None:
    """The container is told every setting that the JVM gets, in the image's spelling."""
    told = environment("docker.example:21000")
    assert told["KAFKA_ADVERTISED_LISTENERS"] == "CLIENTS://docker.example:21000,INTERNAL://127.0.0.1:9094"
    assert {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in SETTINGS.items()}.items() <= told.items()


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("INFO x\njava.lang.OutOfMemoryError: Java heap space\n\tat y", "Java heap space"),
        ("[main] ERROR kafka.Kafka - no\nCaused by: java.net.BindException: in use", "in use"),
        ("[ERROR] Could not transfer artifact\n[ERROR] Help", "Could not transfer artifact"),
        ("... UnsupportedClassVersionError: class file version 61.0", "java is too old, Java 17 or newer is needed"),
        ("just this", "just this"),
        ("", "it wrote no log"),
    ],
)
def test_the_essence_of_a_log(log: str, line: str) -> None:
    """Of a long log one line is reported: the one that says what went wrong."""
    assert essence(log) == line


def test_a_broker_maps_the_classes_that_were_loaded_once(jars: Path) -> None:
    """The first start writes them down; all others begin with them."""
    (archive, *_) = [option.partition("=")[2] for option in shared_classes(jars)]

    with start_jvm(None, lambda _: None) as broker:
        assert isinstance(broker, JvmBroker)
        assert broker._program is not None
        assert archive in Path(f"/proc/{broker._program.pid}/maps").read_text()
