"""Failures of a call in our words: what comes next, and nothing that holds the secret."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import quote, quote_plus

import aiohttp
import httpx

from connector.cancellation import cancel_wins, cancelled
from connector.errors import AccessDenied, ConnectorError, NotSent, Refused, Retry, Unanswered, UnknownOperation, Unreadable
from connector.mplus.responses.document import NotWellFormed, PageError, TooLarge
from connector.mplus.responses.envelope import FaultError
from connector.mplus.responses.pipe import DecoderDied

MISSING = (
    r"(?:the\s+)?(?:(?:method|operation|function)\s+)?{name}:?\s+(?:is\s+|was\s+)?not\s+(?:implemented|recogni[sz]ed|known|supported|found)\b",
    r"(?:unknown|no\s+such|there\s+is\s+no)\s+(?:method|operation|function):?\s+{name}(?!\w)",
)
"""How a POS, and the SOAP library under it, say that an operation is not there: the sentence begins so, and names it.

A command's own content never decides it: a fault may repeat what the command holds.
"""

DENIED = "the POS refuses ident or secret: check MPLUS_IDENT and MPLUS_SECRET"


NOT_REACHED = "the POS cannot be reached: check MPLUS_URL, the network, and that its certificate is trusted"

FOREIGN: Sequence[tuple[tuple[type[Exception], ...], type[Retry], str]] = (
    ((aiohttp.ConnectionTimeoutError,), NotSent, "the POS could not be reached in time"),
    ((aiohttp.ClientConnectorError, aiohttp.InvalidURL, httpx.InvalidURL), NotSent, NOT_REACHED),
    ((aiohttp.ClientHttpProxyError,), NotSent, "the POS cannot be reached: the proxy refuses ({error})"),
    ((TimeoutError,), Unanswered, "the POS did not answer in time"),
    ((aiohttp.ClientError, httpx.HTTPError, httpx.StreamError, OSError), Unanswered, "the connection to the POS broke ({error})"),
    ((Exception,), Unanswered, "the call failed ({error})"),
)
"""What libraries throw, and what it is to us: the first row that fits. Only what is known to come before sending is NotSent."""


@contextmanager
def translated(operation: str, secret: str) -> Iterator[None]:
    """Foreign errors in our words: nothing raw gets out. `from None`: the libraries' errors hold the request, and the secret."""
    try:
        with cancel_wins():
            yield
    except ConnectorError:
        raise
    except FaultError as error:
        raise _fault(operation, _without(secret, error.code)[:100], _without(secret, error.text)[:500], error.after) from None
    except PageError as error:
        raise Retry(f"{operation}: the POS's answer cannot be read: {error}") from None
    except Exception as error:
        raise _foreign(operation, error) from None
    except asyncio.CancelledError:
        if cancelled():
            raise
        raise Unanswered(f"{operation}: the call was broken off") from None


def _foreign(operation: str, error: Exception) -> Retry:
    """Our error for aiohttp's where there is one: httpx's transport calls a lost connection one that was never made."""
    root = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    kind, text = next((kind, text) for kinds, kind, text in FOREIGN if isinstance(root, kinds))
    return kind(f"{operation}: {text.format(error=type(root).__name__)}")


@contextmanager
def unreadable(operation: str) -> Iterator[None]:
    """A page that came and cannot be read: whoever asked may ask in another way, so it is not asked once more as it was."""
    try:
        yield
    except PageError as error:
        careful = isinstance(error, (NotWellFormed, TooLarge, DecoderDied))
        raise Unreadable(f"{operation}: the POS's answer cannot be read: {error}", careful=careful) from None


def _without(secret: str, text: str) -> str:
    """A POS may repeat the address it was called at: the text without the secret, however a query spells it."""
    spellings = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)} - {""}
    pattern = "|".join(re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True))
    return re.sub(pattern, "***", text, flags=re.IGNORECASE) if pattern else text


def _fault(operation: str, code: str, text: str, after: float | None) -> ConnectorError:
    kind = code.rpartition(":")[2]
    if kind.startswith("Client.Authentication"):
        return AccessDenied(DENIED, kind)
    if kind.startswith(OURS) and _is_missing(operation, text):
        return UnknownOperation(f"{operation} is not known to this POS: {text}", kind)
    if kind.startswith(OURS):
        return Refused(f"{operation} is refused: {text}", kind)
    return Retry(f"{operation}: the POS failed: {text}", after=after)


OURS = ("Client", "Sender")
"""How the codes of faults begin that say that the request is wrong: SOAP 1.1 and 1.2."""


def _is_missing(operation: str, text: str) -> bool:
    """Whether the POS says of this very operation, in its own words, that it has none."""
    name = rf"""['"]?(?:\w+:)?{re.escape(operation)}['"]?"""
    return any(re.match(sentence.format(name=name), text.strip(), re.IGNORECASE) for sentence in MISSING)


def retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header: a number, or a date (RFC 9110)."""
    seconds = text.strip()
    if seconds.isascii() and seconds.isdecimal():
        return float(seconds[:9])
    try:
        return max(0.0, parsedate_to_datetime(seconds).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
