"""Apache Kafka as a container of the official image."""

import gc
import warnings
from typing import Any

from connector.local_kafka.broker import SETTINGS, Broker, Say, await_answer, claim_port, essence, listeners

IMAGE = "apache/kafka:4.1.0"
DOCKER_TIMEOUT_S = 180


class ContainerBroker(Broker):
    """One container that is broker and controller."""

    origin = "container"

    def __init__(self, wanted: Any) -> None:
        self._wanted, self._claim = wanted, claim_port()
        port = self._claim.getsockname()[1]
        self.bootstrap = f"{wanted.get_docker_client().host()}:{port}"
        wanted.with_envs(**environment(self.bootstrap)).with_bind_ports(9092, port)

    @property
    def _container(self) -> Any:
        return self._wanted.get_wrapped_container()

    def start(self) -> None:
        """Make the container and wait until it answers."""
        self._wanted.start()
        await_answer(self, self._log_text)

    def _log_text(self) -> str:
        return str(self._container.logs(tail=200).decode(errors="replace"))

    def alive(self) -> bool:
        self._container.reload()
        return self._container.status in {"created", "running"}

    def kill(self) -> None:
        if self.alive():
            self._container.kill()
            self._container.wait()

    def restart(self) -> None:
        self._container.start()
        await_answer(self, self._log_text)

    def stop(self) -> None:
        self._wanted.stop()
        self._claim.close()


def environment(advertised: str) -> dict[str, str]:
    """The settings as the image takes them: one variable each. Inside, the broker reaches itself by a listener of its own."""
    internal = "127.0.0.1:9094"
    settings = SETTINGS | listeners("0.0.0.0:9092", internal, "127.0.0.1:9093")
    settings |= {"advertised.listeners": f"CLIENTS://{advertised},INTERNAL://{internal}", "log.dirs": "/var/lib/kafka/data"}
    named = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
    return named | {"KAFKA_HEAP_OPTS": "-Xmx512m"}


def start_container(say: Say) -> ContainerBroker | None:
    """A broker that answers, or None where Docker does not answer, the image cannot be had or the container fails."""
    with warnings.catch_warnings():
        # Where no daemon listens, the Docker client drops its socket without closing it: collect that here, in silence.
        warnings.simplefilter("ignore", ResourceWarning)
        broker = _attempt(say)
        gc.collect()
    return broker


def _attempt(say: Say) -> ContainerBroker | None:
    try:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  needed only for development, and slow

        wanted = DockerContainer(IMAGE, docker_client_kw={"timeout": DOCKER_TIMEOUT_S})
        _ensure_image(wanted.get_docker_client().client.images, wanted.image, say)
        return _started(ContainerBroker(wanted))
    except ImportError:
        return None
    except Exception as error:  # whatever ails Docker, the jars are the next choice
        if type(error).__name__ != "DockerException":  # that one only says that no daemon answers
            reason = getattr(error, "explanation", None) or error  # Docker's own words, without the client's address
            say(f"no container ({essence(str(reason))}), so Kafka runs in Java")
        return None


def _ensure_image(images: Any, name: str, say: Say) -> None:
    if not images.list(name):
        say(f"pulling {name} (once)")
        images.pull(name)


def _started(broker: ContainerBroker) -> ContainerBroker:
    try:
        broker.start()
    except BaseException:
        broker.stop()
        raise
    return broker
