"""Where the brokers are, how to log in, and their errors in our words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from connector.errors import Fatal
from connector.kafka.errors import in_words, missing, only_we_cancel, topic_of

METADATA_AGE_MS = 10_000
"""Milliseconds after which it is seen that a topic has more partitions, or is gone."""


class Cluster:
    """What every client of aiokafka is made with: `arguments`."""

    def __init__(self, kafka: str | Mapping[str, Any]) -> None:
        """`kafka`: bootstrap servers (`host:port,host:port`), or aiokafka's arguments with security and login."""
        given: Mapping[str, Any] = {"bootstrap_servers": kafka} if isinstance(kafka, str) else kafka
        self.arguments: Mapping[str, Any] = {"bootstrap_servers": "localhost", **given}

    @property
    def attentive(self) -> Mapping[str, Any]:
        """The same, for clients that shall soon see what becomes of topics."""
        return {"metadata_max_age_ms": METADATA_AGE_MS, **self.arguments}

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """aiokafka's errors in one line, with what to do. Raises Fatal, or Retry where it gave up by itself."""
        with _translated(self), only_we_cancel():
            yield


@contextmanager
def _translated(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except AuthenticationFailedError as error:
        raise Fatal("Kafka refuses the login: check KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_…") from error
    except TopicAuthorizationFailedError as error:
        raise Fatal(f"Kafka denies access: {error}; grant this user the rights that docs/configuration.md lists") from error
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError, TimeoutError) as error:
        raise Fatal(_unreached(cluster, error)) from error
    except UnknownTopicOrPartitionError as error:
        raise Fatal(missing(topic_of(error) or "that was asked for")) from error
    except KafkaError as error:
        raise Fatal(f"Kafka does not do what is asked: {in_words(error)}") from error


def _unreached(cluster: Cluster, error: BaseException) -> str:
    """Why it cannot be reached, as far as it is known; a client that was not given time enough tells nothing."""
    known = str(error.args[0]) if error.args else ""
    if known.startswith("Kafka "):
        return known
    what = "KAFKA_BOOTSTRAP_SERVERS" + (
        ""
        if cluster.arguments.get("security_protocol", "PLAINTEXT") == "PLAINTEXT"
        else ", the login (KAFKA_SASL_…, KAFKA_SSL_…)"
    )
    return f"Kafka cannot be reached at {cluster.arguments['bootstrap_servers']}: check {what} and that the broker runs"
