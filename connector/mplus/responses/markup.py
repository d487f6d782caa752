"""The tags of XML text that comes in pieces and may be broken anywhere. What is well-formed, only a parser knows."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TAG_CHARS_MAX = 1 << 20
"""Characters: a `<` without an end for so long is none of a tag."""
SECTIONS = {"<!--": "--", "<![CDATA[": "]]>", "<?": "?>"}
"""What may hold tags that are none, and what ends it. In a comment `--` may not stand elsewhere."""
OPEN, EMPTY, CLOSE, UNENDED = "open", "empty", "close", "unended"

SECTION = re.compile(r"<!--|<!\[CDATA\[|<\?(?=[A-Za-z_:\x80-\U0010ffff])")
TAG = re.compile(r"""<(/?)([^\s<>/="'!?&;]++)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""")


class Token(NamedTuple):
    """A tag with its name as it stands there, and its place in `Lexer.text`. UNENDED: a comment that was none."""

    kind: str
    name: str
    start: int
    end: int


def sections(text: str) -> Iterator[tuple[int, int]]:
    """Where the sections of a text are that have an end, without looking twice for one that is not there."""
    endless: set[str] = set()
    at = 0
    while (begins := SECTION.search(text, at)) is not None:
        end = "-->" if begins[0] == "<!--" else SECTIONS[begins[0]]
        found = -1 if end in endless else text.find(end, begins.end())
        if found < 0:
            endless.add(end)
            at = begins.end()
        else:
            at = found + len(end)
            yield begins.start(), at


def local_name(name: str) -> str:
    """Without its prefix."""
    return name.rpartition(":")[2]


class Lexer:
    """`text` from `at` on is still to be read; `end` is what ends the section that it stands in, "" outside of one."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.end = ""
        self.inside = 0
        """Where the section's content begins; below 0 once that was cut off."""
        self.endless: set[str] = set()
        """Ends of sections that do not come any more: what begins such a section begins none."""

    def more(self, text: str) -> None:
        """Append, and forget what was read."""
        self.inside -= self.at
        self.text = self.text[self.at :] + text if self.at < len(self.text) else text
        self.at = 0

    def next(self) -> Token | None:
        """The next tag; None while more text is needed."""
        while True:
            if self.end:
                if (ended := self._section()) is not None:
                    return ended
                if self.end:
                    return None
            start = self.text.find("<", self.at)
            self.at = start if start >= 0 else len(self.text)
            if start < 0:
                return None
            if tag := TAG.match(self.text, start):
                self.at = tag.end()
                return Token(_kind(tag), tag[2], start, self.at)
            if self._needs_more(start):
                return None
            self._enter(start)

    def _section(self) -> Token | None:
        """Leaves it where it ends here."""
        found = self.text.find(self.end, self.at)
        if found < 0 or len(self.text) < found + 3:
            self.at = max(self.at, found if found >= 0 else len(self.text) - len(self.end) + 1)
            return None
        comment, self.end = self.end == "--", ""
        if comment and self.text[found + 2] != ">":
            return Token(UNENDED, "", found, found)
        self.at = found + (3 if comment or self.text[found] == "]" else 2)
        return None

    def _needs_more(self, start: int) -> bool:
        rest = len(self.text) - start
        if rest < len("<![CDATA[") and any(section.startswith(self.text[start:]) for section in SECTIONS):
            return True
        return SECTION.match(self.text, start) is None and rest < TAG_CHARS_MAX and self.text.find("<", start + 1) < 0

    def _enter(self, start: int) -> None:
        section = SECTION.match(self.text, start)
        section = section if section and SECTIONS[section[0]] not in self.endless else None
        self.at = self.inside = section.end() if section else start + 1
        self.end = SECTIONS[section[0]] if section else ""


def _kind(tag: re.Match[str]) -> str:
    return CLOSE if tag[1] else (EMPTY if tag[3].endswith("/") else OPEN)
