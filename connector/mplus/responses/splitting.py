"""A page of text, in pieces, → what is around its items, and each item by itself, wherever it may be broken.

An item ends where the tags of its own name are balanced. Where they never are (an end that is missing or misspelt), it ends
where the next one seems to begin; whether it is an item then, a parser says. What is to be left out is cut out while it comes.
"""

from connector.mplus.responses.document import TooLarge
from connector.mplus.responses.markup import CLOSE, EMPTY, UNENDED, Lexer, Token, local_name
from connector.mplus.responses.pages import PageSpec
from connector.mplus.responses.parts import Piece, Reader

AROUND_CHARS_MAX = 1 << 16
"""Characters of the opening tags around the items, together."""
DEPTH_MAX = 8
"""Items within items of the same name: more of them open at once are ends that are missing."""


class Splitter:
    """Feed text, and close."""

    def __init__(self, spec: PageSpec, reader: Reader, max_item_bytes: int) -> None:
        self._reader = reader
        self._item = spec.path[-1]
        self._omit = spec.omit
        self._depth = 2 + len(spec.path)
        self._max_item_bytes = max_item_bytes
        self._lexer = Lexer()
        self._from = 0
        self._around: list[tuple[str, str]] = []
        self._piece: Piece | None = None
        self._closing = False

    def feed(self, text: str) -> None:
        """Raises PageError."""
        self._lexer.more(text)
        self._from = 0
        self._scan()

    def close(self) -> None:
        """The end of the page: what began a section that never ended began none."""
        self._closing = True
        while self._lexer.end and self._rewound():
            self._scan()
        self._keep(len(self._lexer.text))

    def _scan(self) -> None:
        while (token := self._lexer.next()) is not None or self._too_large():
            if token is None:
                continue
            if token.kind == UNENDED:
                self._rewound(once=True)
            elif self._piece is None:
                self._tag_around(token)
            else:
                self._tag_within(self._piece, token)

    def _tag_around(self, token: Token) -> None:
        tag = self._lexer.text[token.start : token.end]
        self._keep(token.end)
        if token.kind == CLOSE:
            self._leave(token.name)
        elif token.kind != EMPTY:
            self._around.append((token.name, tag))
            tags = [tag for _, tag in self._around]
            if len(tags) == self._depth and self._reader.is_list(tags):
                if sum(map(len, tags)) > AROUND_CHARS_MAX:
                    raise TooLarge(f"more than {AROUND_CHARS_MAX} characters of tags around the items")
                self._piece = Piece()

    def _leave(self, name: str) -> None:
        while self._around and self._around.pop()[0] != name:
            pass

    def _tag_within(self, piece: Piece, token: Token) -> None:
        is_item = local_name(token.name) == self._item
        if token.kind == CLOSE:
            self._close(piece, token, is_item=is_item)
        elif is_item and piece.omitted:
            self._omitted(piece, token.start, ended=False)
            self._end(piece, token.start)
        elif is_item and not piece.open:
            self._end(piece, token.start)
            self._begin(token)
        else:
            self._open(piece, token, is_item=is_item)

    def _begin(self, token: Token) -> None:
        self._lexer.at = token.end
        self._piece = piece = Piece(is_item=True, open=[token.name])
        if token.kind == EMPTY:
            self._end(piece, token.end)

    def _open(self, piece: Piece, token: Token, *, is_item: bool) -> None:
        if is_item and piece.next is None:
            piece.next = piece.length + token.start - self._from
        if token.kind == EMPTY:
            return
        if not piece.omitted and local_name(token.name) in self._omit:
            self._leave_out(piece, token)
        elif is_item or not piece.open or token.name == piece.open[-1 if piece.omitted else 0] or self._is_around(token.name):
            if len(piece.open) < DEPTH_MAX or (piece.next is None and not piece.rest):
                piece.open.append(token.name)
            elif piece.next is not None and not piece.rest:
                self._split(piece, piece.next)

    def _leave_out(self, piece: Piece, token: Token) -> None:
        """Keep its opening tag as one that is empty: the elements around it stay what they are."""
        self._keep(token.end - 1)
        if not piece.rest:
            piece.kept.append("/>")
            piece.length += 2
        self._from = token.end
        piece.open.append(token.name)
        piece.omitted, piece.left_out = len(piece.open), self._reader.left_out()

    def _omitted(self, piece: Piece, upto: int, *, ended: bool) -> None:
        """Nothing more of it. Where it has not ended, the piece must not look as if it had."""
        self._keep(upto)
        piece.omitted = 0
        if not ended and piece.left_out and not piece.rest:
            piece.kept[-1] = f">{piece.left_out.told()}"
            piece.length += len(piece.kept[-1]) - 2

    def _is_around(self, name: str) -> bool:
        return any(name == around for around, _ in self._around)

    def _close(self, piece: Piece, token: Token, *, is_item: bool) -> None:
        if piece.open and token.name == piece.open[-1]:
            self._closed(piece, token, len(piece.open) - 1)
        elif is_item:
            self._closed(piece, token, 0)
        elif token.name in piece.open:
            self._closed(piece, token, piece.open.index(token.name))
        elif self._is_around(token.name):
            if piece.omitted:
                self._omitted(piece, token.start, ended=False)
            self._end_of_list(piece, token)

    def _closed(self, piece: Piece, token: Token, still_open: int) -> None:
        """Elements were closed; so many are left."""
        ended = still_open + 1 == piece.omitted and piece.open[still_open] == token.name
        del piece.open[still_open:]
        if piece.omitted > still_open:
            self._omitted(piece, token.end if ended else token.start, ended=ended)
        if not still_open:
            piece.next = None
            if piece.is_item:
                self._end(piece, token.end)

    def _end_of_list(self, piece: Piece, token: Token) -> None:
        if piece.next is not None and not piece.rest:
            self._split(piece, piece.next)
            return
        self._end(piece, token.start)
        if not piece.is_item:
            self._piece = None
            self._leave(token.name)
            self._keep(token.end)
            self._lexer.at = token.end

    def _end(self, piece: Piece, end: int) -> None:
        """The piece ends there, and what is between it and the next begins."""
        self._keep(end)
        self._lexer.at = end
        self._piece = Piece()
        if not self._closing:
            self._lexer.endless.clear()
        rest = piece.rest
        if rest is None and piece.size > self._max_item_bytes:
            rest = self._reader.too_large(piece.kept)
        if rest is not None:
            rest.end()
        elif not piece.is_item:
            self._reader.between("".join(piece.kept))
        elif again := self._reader.item("".join(piece.kept)):
            self._again(again + self._lexer.text[self._from :], 0)

    def _split(self, piece: Piece, at: int) -> None:
        """The piece has ended there already: read once more what was taken for its own."""
        self._again(self._whole(piece), at)
        self._end(piece, at)

    def _rewound(self, *, once: bool = False) -> bool:
        """A section was none: read once more what was taken for its content. False where that is no longer there.

        `once`: another one like it may well be one.
        """
        piece, begins = self._piece, self._lexer.inside
        if not once:
            self._lexer.endless.add(self._lexer.end)
        self._lexer.end = ""
        if piece is None or piece.rest or piece.omitted:
            return False
        if begins >= self._from:
            self._lexer.at = begins
        else:
            at = piece.length + begins - self._from
            self._again(self._whole(piece), at)
        return True

    def _whole(self, piece: Piece) -> str:
        """Also what was kept of it already, which is then no longer kept."""
        whole = "".join(piece.kept) + self._lexer.text[self._from :]
        piece.kept, piece.length, piece.size = [], 0, 0
        return whole

    def _again(self, text: str, at: int) -> None:
        self._lexer.text, self._lexer.at, self._lexer.end, self._from = text, at, "", 0

    def _keep(self, end: int) -> None:
        """Take over the text up to there."""
        text, self._from = self._lexer.text[self._from : end], end
        piece = self._piece
        if piece is None:
            self._reader.around(text)
        elif piece.omitted and piece.left_out:
            piece.left_out.feed(text)
        elif piece.rest:
            piece.rest.feed(text)
        elif text:
            piece.kept.append(text)
            piece.length += len(text)
            piece.size += self._reader.size(text)

    def _too_large(self) -> bool:
        """Take over what was read. What is then larger than allowed is read once more as smaller things (True), or dropped."""
        self._keep(self._lexer.at)
        piece = self._piece
        if piece is None or piece.rest or piece.size <= self._max_item_bytes:
            return False
        if self._lexer.end and self._rewound():
            return True
        if piece.next is not None:
            self._split(piece, piece.next)
            return True
        piece.rest, piece.kept = self._reader.too_large(piece.kept), []
        return False
