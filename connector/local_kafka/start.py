"""Where Kafka comes from: a given address, a container, or a real broker in a JVM of ours, in this order."""

import os
from pathlib import Path

from connector.local_kafka.broker import Broker, KafkaUnavailable, Say, answers, listens
from connector.local_kafka.container import start_container
from connector.local_kafka.jvm import start_jvm

__all__ = ["Broker", "KafkaUnavailable", "start_kafka"]


def start_kafka(directory: Path | None = None, say: Say = print) -> Broker:
    """A Kafka that answers; raises KafkaUnavailable with one line. A JVM of ours keeps its data in `directory` if given."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return GivenBroker(given)
    return start_container(say) or start_jvm(directory, say)


class GivenBroker(Broker):
    """Somebody else's Kafka."""

    origin = "given address"
    ours = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        if not self.alive():
            raise KafkaUnavailable(
                f"no Kafka answers at {bootstrap}: correct KAFKA_BOOTSTRAP_SERVERS, or unset it to have one started"
            )

    def alive(self) -> bool:
        # Behind TLS or SASL only the open port can be seen without credentials.
        plain = os.environ.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT") == "PLAINTEXT"
        return any((answers if plain else listens)(address) for address in self.bootstrap.split(","))

    def kill(self) -> None:
        raise self._not_ours("kill")

    def restart(self) -> None:
        raise self._not_ours("restart")

    def _not_ours(self, deed: str) -> KafkaUnavailable:
        return KafkaUnavailable(f"the Kafka at {self.bootstrap} is not ours to {deed}: unset KAFKA_BOOTSTRAP_SERVERS")

    def stop(self) -> None:
        """Let it go on: it is not ours."""
