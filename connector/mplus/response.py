"""An HTTP answer, before anybody knows whether the POS gave it."""

import asyncio
import re
from codecs import lookup
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import httpx

from connector.mplus.responses.document import TooLarge

TELLS_ITS_ENCODING = re.compile(rb"<\?xml[^>]*\sencoding|\xef\xbb\xbf|\xff\xfe|\xfe\xff|.?\0", re.DOTALL)
"""A document that says by itself how it is encoded: by its declaration, a byte order mark, or zero bytes."""

LATIN = re.compile(r"charset\s*=\s*[\"']?(iso-8859-\d{1,2}|windows-125\d|latin-?\d)\b", re.IGNORECASE)
"""Encodings of one byte a letter: what else Python decodes under a name may be no text, or cost hours."""


class Answer:
    """An HTTP answer whose body has not been read yet."""

    def __init__(self, response: httpx.Response, limit: asyncio.Timeout) -> None:
        self._response = response
        self._limit = limit
        self.status = response.status_code
        self.retry_after = response.headers.get("retry-after", "")

    @property
    def charset(self) -> str | None:
        """The body's encoding by its HTTP header, if it is one of the Latin ones. XML is UTF-8 without a word."""
        found = LATIN.search(self._response.headers.get("content-type", ""))
        with suppress(LookupError):
            return lookup(found[1]).name if found else None
        return None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed."""
        headers = self._response.headers
        if "x-gzip" in (packed := headers.get("content-encoding", "").lower()):
            headers["content-encoding"] = packed.replace("x-gzip", "gzip")  # its older name (RFC 9110, 8.4.1.3)
        return self._response.aiter_bytes()

    async def whole(self, most: int) -> bytes:
        """The body of a small answer; in UTF-8 where only the HTTP header tells another encoding. Raises TooLarge."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > most:
                raise TooLarge(f"more than {most} bytes where fewer were expected")
        return in_utf_8(bytes(body), self.charset)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While inside, it is not the POS that is waited for: the time counts for nothing."""
        loop, end = asyncio.get_running_loop(), self._limit.when()
        started = loop.time()
        self._limit.reschedule(None)
        try:
            yield
        finally:
            if end is not None:
                self._limit.reschedule(end + loop.time() - started)


def in_utf_8(body: bytes, charset: str | None) -> bytes:
    """The document in the encoding that XML has without a word, if `charset` is how it came."""
    if charset is not None and not TELLS_ITS_ENCODING.match(body):
        with suppress(UnicodeError):  # it is not what the header says: as it came
            return body.decode(charset).encode()
    return body
