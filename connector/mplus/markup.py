"""The tags of XML text that comes in pieces and may be broken anywhere. What is well-formed, only a parser knows."""

import re
from typing import NamedTuple

LONGEST_TAG = 1 << 20
"""Characters: a `<` without an end for so long is none of a tag."""
SECTIONS = {"<!--": "--", "<![CDATA[": "]]>", "<?": "?>"}
"""What may hold tags that are none, and what ends it. In a comment `--` may not stand elsewhere."""
OPEN, EMPTY, CLOSE, UNENDED = "open", "empty", "close", "unended"

TAG = re.compile(r"""<(/?)([^\s<>/="'!?&;]++)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""")


class Token(NamedTuple):
    """A tag with its name as it stands there, and its place in `Lexer.text`. UNENDED: a comment that was none."""

    kind: str
    name: str
    start: int
    end: int


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
        is_section = self.text.startswith(tuple(SECTIONS), start)
        return not is_section and rest < LONGEST_TAG and self.text.find("<", start + 1) < 0

    def _enter(self, start: int) -> None:
        for section, end in SECTIONS.items():
            if self.text.startswith(section, start):
                self.end = end
                self.at = self.inside = start + len(section)
                return
        self.at = start + 1


def _kind(tag: re.Match[str]) -> str:
    return CLOSE if tag[1] else (EMPTY if tag[3].endswith("/") else OPEN)
