"""The cluster of a configuration."""

import ssl
from typing import Any

from connector.config.settings import Kafka
from connector.errors import Fatal
from connector.kafka.cluster import Cluster


def cluster_of(kafka: Kafka) -> Cluster:
    """The cluster as it is configured. Raises Fatal for certificates that cannot be read."""
    arguments: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.get_secret_value(),
        }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(kafka)
    return Cluster(arguments)


def _ssl_context(kafka: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
        if kafka.ssl_certfile:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise Fatal(
            f"Kafka certificates cannot be loaded ({error.__class__.__name__}): check KAFKA_SSL_CAFILE, _CERTFILE, _KEYFILE"
        ) from error
    return context
