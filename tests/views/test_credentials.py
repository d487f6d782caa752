"""What Faust is told about logins and TLS is what every other client is told."""

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from connector.kafka.configured import cluster_of
from connector.views.app import credentials
from tests.support.views.filling import config_of, environment

LOGIN = {"KAFKA_SASL_USERNAME": "shop", "KAFKA_SASL_PASSWORD": "kafka-s3cret"}


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_way_to_log_in_reaches_faust(protocol: str, mechanism: str) -> None:
    """Protocol, mechanism, name, password and certificates, through Faust's own translation for its clients."""
    told = environment("broker:9092", "a") | LOGIN
    told |= {"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism}
    cluster = cluster_of(config_of(told).kafka)
    given = credentials_to_aiokafka_auth(credentials(cluster))

    assert {name: value for name, value in cluster.arguments.items() if name != "bootstrap_servers"} == {
        name: value for name, value in given.items() if value is not None
    }


def test_a_password_is_not_shown() -> None:
    """Faust may print its settings."""
    told = environment("broker:9092", "a") | LOGIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}

    assert "kafka-s3cret" not in repr(credentials(cluster_of(config_of(told).kafka)))
