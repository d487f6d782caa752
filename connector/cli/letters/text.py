"""Dead letters in words: whatever their bytes are, nothing of them reaches the terminal but text. Pure."""

from typing import Any

from connector.messages.dead_letter import DeadLetter

EXCERPT_BYTES = 512
"""Bytes of a binary body that are shown."""

LAYOUT = "\n\t\r"


def words(value: bytes | None) -> str:
    """Bytes on one line: what is no printable text stands there as \\xNN."""
    if value is None:
        return "–"
    text = value.decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def body(value: bytes | None) -> str:
    """A body as text where it is one, else the beginning of it as a hexdump."""
    if not value:
        return "no body" if value is None else "an empty body"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return _hexdump(value)
    return text if all(letter.isprintable() or letter in LAYOUT for letter in text) else _hexdump(value)


def row(letter: DeadLetter) -> dict[str, Any]:
    """A letter as a line of JSON, without its body."""
    origin = letter.origin
    return {
        "topic": letter.place.topic,
        "partition": letter.place.partition,
        "offset": letter.offset,
        "at": letter.at.isoformat(timespec="milliseconds"),
        "stage": letter.stage,
        "key": None if letter.key is None else words(letter.key),
        "origin": {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset},
        "error": letter.kind,
        "message": letter.message,
        "size": len(letter.value or b""),
    }


def _hexdump(value: bytes) -> str:
    lines = []
    for start in range(0, min(len(value), EXCERPT_BYTES), 16):
        part = value[start : min(start + 16, EXCERPT_BYTES)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<47}  {text}")
    return "\n".join([*lines, *([f"… {len(value)} bytes in all"] if len(value) > EXCERPT_BYTES else [])])
