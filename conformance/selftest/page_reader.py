# SPDX-License-Identifier: BSD-2-Clause
"""A page as a browser would see it: elements, attributes and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br", "link", "img", "hr", "base"})


@dataclass
class Element:
    """One element; ``text`` is what it and everything in it says."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list[str] = field(default_factory=list)
    """Tags that it stands in, outermost first."""


class Page(HTMLParser):
    """Reads a page; an element that is not closed in its order is a mistake."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"not closed: {self._open[-1].tag}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        element = Element(tag, attributes, inside=[outer.tag for outer in self._open])
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1].tag == tag, f"</{tag}> closes nothing"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def find(self, tag: str, css_class: str | None = None) -> list[Element]:
        """The elements with this tag, and this class if one is given."""
        return [
            element
            for element in self.elements
            if element.tag == tag
            and (css_class is None or css_class in element.attributes.get("class", "").split())
        ]
