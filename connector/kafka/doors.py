"""Why a broker could not be reached, in words: what was found at its address, and what to look at."""

import socket
import ssl
from asyncio import IncompleteReadError
from collections.abc import Mapping

from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

Address = tuple[str, int]

EXPIRED, NOT_YET, ELSEWHERE, UNTRUSTED = {10}, {9}, {62, 64}, {18, 19, 20, 21}
"""OpenSSL's numbers of what is wrong with a certificate."""

TLS_ALERT = 0x15
"""The first byte of what a TLS port answers to plain text: a client takes it for the length of an answer."""

PROTOCOL = "check KAFKA_SECURITY_PROTOCOL"
ADDRESS = "check KAFKA_BOOTSTRAP_SERVERS and that the broker runs"


def why(error: BaseException) -> str:
    """What stands in the way, and what to do. No secret is in it."""
    if isinstance(error, KafkaConnectionError) and error.__cause__ is not None:
        return why(error.__cause__)
    return _tls(error) or _login(error) or _unreached(error)


def _tls(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({error.reason or type(error).__name__}): {PROTOCOL}, the port and KAFKA_SSL_…"
    if isinstance(error, IncompleteReadError) and (error.expected or 0) >> 24 == TLS_ALERT:
        return "it speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL"
    return ""


def _login(error: BaseException) -> str:
    if isinstance(error, SaslAuthenticationFailed | AuthenticationFailedError):
        return "it refuses the login: check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
    if isinstance(error, IllegalSaslStateError):
        return f"it asks for no login: {PROTOCOL}"
    return "it does not offer this KAFKA_SASL_MECHANISM" if isinstance(error, UnsupportedSaslMechanismError) else ""


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in EXPIRED:
        return "its certificate has expired"
    if code in NOT_YET:
        return "its certificate is not valid yet: compare the clocks"
    if code in ELSEWHERE:
        return "its certificate is for another host"
    if code in UNTRUSTED:
        return "its certificate is signed by nobody who is trusted here: set KAFKA_SSL_CAFILE"
    return f"its certificate is refused ({error.verify_message})"


def _unreached(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name is not known here: {ADDRESS}"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens there: {ADDRESS}"
    if isinstance(error, TimeoutError):
        return f"nobody answers there: {ADDRESS}"
    if isinstance(error, ConnectionError | EOFError | KafkaConnectionError):
        return f"it closes the connection: {PROTOCOL} and that a broker listens there"
    return getattr(error, "strerror", None) or type(error).__name__


def where(address: Address) -> str:
    """The address as it is written in settings."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def at_doors(troubles: Mapping[Address, BaseException]) -> str:
    """What is wrong with all addresses that were tried; empty where there are none."""
    told = "; ".join(f"{where(address)}: {why(error)}" for address, error in troubles.items())
    return told and f"Kafka cannot be reached at {told}"


def advertised(address: Address, error: BaseException) -> str:
    """What is wrong with an address that a broker gave, where the one that was configured did answer."""
    found = why(error).removesuffix(f": {ADDRESS}")
    return (
        f"Kafka gives {where(address)} as a broker's address, and {found}: that broker is down, "
        "or its advertised.listeners names an address that cannot be reached from here"
    )
