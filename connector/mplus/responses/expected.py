"""What an answer must be to be believed as a page."""

from xml.etree.ElementTree import Element

from connector.mplus.responses.document import PageError
from connector.mplus.responses.elements import local
from connector.mplus.responses.values import NAMESPACE


class Expected:
    """What a page must be to be believed: the operation's response, with the list that the items lie in."""

    def __init__(self, path: tuple[str, ...], response: str | None) -> None:
        """See PageSpec."""
        self._name = response
        self._lists = path[:-1]
        self._item = path[-1]

    def around(self, response: Element) -> Element | None:
        """The element whose children are the items. Raises PageError for another response."""
        if not response.tag.startswith(NAMESPACE) or self._name not in {None, local(response.tag)}:
            namespace = response.tag.rpartition("}")[0].lstrip("{")[:40]
            raise PageError(f"{_short(response)} of {namespace!r} where {self._name or 'a response'} of the POS was expected")
        around: Element | None = response
        for name in self._lists:
            around = around.find(NAMESPACE + name) if around is not None else None
        return around

    def refuse_other(self, response: Element, seen: int, foreign: int) -> None:
        """At the end of a page with so many items, of another namespace some of them; rows may have been cut off the tree.

        Raises PageError where it does not hold what it must: nothing is not the same as no items.
        """
        if self._lists and self.around(response) is None:
            raise PageError(f"{_short(response)} holds no {'/'.join(self._lists)}")
        if self._lists and len(response.findall(NAMESPACE + self._lists[0])) > 1:
            raise PageError(f"{_short(response)} holds more than one {self._lists[0]}")
        if not self._lists and self._name is None and len(response) and not seen:
            raise PageError(f"{_short(response)} holds {_short(response[0])} and no {self._item}")
        if seen and seen == foreign:
            raise PageError(f"all that is {self._item} lies in another namespace than the POS's: this is another API")


def _short(element: Element) -> str:
    return local(element.tag)[:40]
