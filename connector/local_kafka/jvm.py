"""Apache Kafka as jars: fetched once by Maven, run in a JVM that never outlives us."""

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connector.local_kafka.broker import (
    ADVICE,
    SETTINGS,
    START_TIMEOUT_S,
    Broker,
    KafkaUnavailable,
    Say,
    await_answer,
    claim_port,
    essence,
    listeners,
)

VERSION = "4.1.0"
POM = Path(__file__).with_name("kafka-runtime.xml")
MAVEN_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 15.0

# The shell becomes the wanted program. Its background child waits for the end of our pipe (closed by us, or by the
# kernel when we are gone, even after SIGKILL) and then kills the whole process group. PR_SET_PDEATHSIG would not do:
# it fires when the *thread* that started the program ends. The child writes nothing, so that the program's end ends its output.
LEASH = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -9 0) >/dev/null 2>&1 & exec "$@" 3<&-'

Program = subprocess.Popen[bytes]


class JvmBroker(Broker):
    """One JVM that is broker and controller."""

    origin = f"jars {VERSION}"

    def __init__(self, jars: Path, directory: Path, *, keep: bool, sharing: Sequence[str] = ()) -> None:
        """`sharing`: options of the JVM, for its archive of classes."""
        self._classpath, self._directory, self._keep = f"{jars}/*", directory, keep
        self._sharing = sharing
        self._log, self._settings = directory / "broker.log", directory / "server.properties"
        self._claims = [claim_port() for _ in range(3)]
        self._program: Program | None = None
        self.bootstrap, internal, controller = (f"127.0.0.1:{claim.getsockname()[1]}" for claim in self._claims)
        settings = SETTINGS | listeners(self.bootstrap, internal, controller) | {"log.dirs": str(directory / "data")}
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def restart(self) -> None:
        self._log.write_bytes(b"")
        self._format()
        self._program = leashed(java(*self._sharing, "-cp", self._classpath, "kafka.Kafka", str(self._settings)), self._log)
        await_answer(self, self._log_text)

    def _format(self) -> None:
        if (self._directory / "data" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(self._settings)]
        if reap(leashed(java(*self._sharing, "-cp", self._classpath, *tool), self._log), START_TIMEOUT_S) != 0:
            raise KafkaUnavailable(f"Kafka's storage could not be prepared: {essence(self._log_text())}")

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def alive(self) -> bool:
        return self._program is not None and self._program.poll() is None

    def kill(self) -> None:
        if self._program:
            self._program.kill()
            reap(self._program, STOP_TIMEOUT_S)

    def stop(self) -> None:
        if self._program and self._keep:
            self._program.terminate()
            reap(self._program, STOP_TIMEOUT_S)
        self.kill()
        for claim in self._claims:
            claim.close()
        if not self._keep:
            shutil.rmtree(self._directory, ignore_errors=True)


def start_jvm(directory: Path | None, say: Say) -> JvmBroker:
    """A broker that answers, its data in `directory` or a temporary one; fetches the jars first if need be."""
    java()  # say what is missing before anything is fetched
    jars = fetched_jars(say)
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
    sharing = shared_classes(jars)
    home = directory or Path(tempfile.mkdtemp(prefix="mplus-kafka-"))
    broker = JvmBroker(jars, home, keep=directory is not None, sharing=sharing)
    try:
        broker.restart()
    except BaseException:
        broker.stop()
        raise
    return broker


def fetched_jars(say: Say) -> Path:
    """The directory with Kafka's jars, fetched by Maven the first time; a half-fetched one is never returned."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mplus-connector"
    content = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    jars = cache / f"kafka-{VERSION}-{content}"
    if jars.is_dir():
        return jars
    with _locked(cache):
        if not jars.is_dir():  # another process may have fetched them while we waited
            _fetch(jars, say)
    return jars


def shared_classes(jars: Path) -> Sequence[str]:
    """Options with which a JVM maps Kafka's classes as they were loaded once: it starts in half the time.

    The first start makes the archive, in about six seconds. A JVM that makes none, or cannot use it, loads its classes.
    """
    archive = jars.parent / f"{jars.name}.jsa"
    if not archive.exists():
        with _locked(jars.parent):
            if not archive.exists():
                _archive(jars, archive)
    if not archive.stat().st_size:
        return []
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


def _archive(jars: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="archiving-", dir=jars.parent) as name:
        partial = Path(name) / "classes.jsa"
        broker = JvmBroker(jars, Path(name), keep=True, sharing=[f"-XX:ArchiveClassesAtExit={partial}"])
        try:
            broker.restart()
        except KafkaUnavailable:  # the start that follows says what is wrong
            pass
        finally:
            broker.stop()
        if not partial.exists():
            partial.touch()
        partial.rename(archive)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "kafka.lock").open("w")
    except OSError as error:
        raise KafkaUnavailable(f"cannot keep Kafka's jars in {cache} ({error.strerror}): set XDG_CACHE_HOME") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jars: Path, say: Say) -> None:
    for abandoned in jars.parent.glob("fetching-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=jars.parent) as name:
        partial = Path(name)
        _maven(partial, say)
        (partial / "jars").rename(jars)  # atomic: the final name exists only with everything in it


def _maven(partial: Path, say: Say) -> None:
    program = shutil.which("mvn")
    if program is None:
        raise KafkaUnavailable(f"there is no Kafka, and no mvn to fetch one: {ADVICE}")
    say(f"fetching Apache Kafka {VERSION} with Maven (once)")
    pom, log = partial / "pom.xml", partial / "log"
    shutil.copyfile(POM, pom)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial / 'jars'}", f"-Dkafka.version={VERSION}"]
    if reap(leashed([program, "-q", "-B", "-f", str(pom), *goal], log), MAVEN_TIMEOUT_S) != 0:
        raise KafkaUnavailable(f"Maven could not fetch Apache Kafka {VERSION}: {essence(log.read_text(errors='replace'))}")


def java(*arguments: str) -> list[str]:
    """The command line of a JVM with these arguments; raises KafkaUnavailable where there is no Java."""
    home = os.environ.get("JAVA_HOME")
    program = (shutil.which("java", path=f"{home}/bin") if home else None) or shutil.which("java")
    if program is None:
        raise KafkaUnavailable(f"there is no Kafka, and no java to run one: {ADVICE}")
    log = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    # With its performance data on, every killed JVM leaves a file in the temporary directory. A broker of minutes is started, and
    # done with its work, on half the CPU time when nothing is compiled twice.
    quick = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1"]
    return [program, *quick, *log, *arguments]


def leashed(argv: list[str], log: Path) -> Program:
    """Start a program in its own process group, its output appended to `log`; it dies when this process does."""
    command = ["sh", "-c", LEASH, "leash", *argv]
    with log.open("ab") as out:
        return Program(command, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True)


def reap(program: Program, within: float) -> int:
    """Wait for the program's end, kill it after `within` seconds; nothing of its group is left. Returns its exit code."""
    try:
        program.wait(within)
    except subprocess.TimeoutExpired:
        program.kill()
    finally:
        if program.stdin:
            program.stdin.close()
    return program.wait()
