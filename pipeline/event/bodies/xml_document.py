"""XML as JSON. There is no standard for it; this is the mapping that most converters share.

An element is an object of what is in it. An attribute has `@` before its name. Elements of one name
are a list. An element with text alone is that text, and `#text` holds it where there is more beside
it. An empty element is null. Namespaces, comments and processing instructions are left out.
"""

from __future__ import annotations

from typing import Any
from xml.sax import SAXException, handler

import orjson
from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from pipeline.event.json_text import BodyError

#: Senders' documents have some ten levels; a JSON event may have 900.
DEEPEST = 100
MOST_ELEMENTS = 100_000
#: Characters of a namespace's name. The parser writes it before the name of each element and
#: attribute that is in it: with a long one, a short document is a thousand times as much.
LONGEST_NAMESPACE = 300
#: Of equals signs: each attribute has one, and those of an element are in memory all at once.
MOST_ATTRIBUTES = 200_000
_TEXT = "#text"


def json_of_xml(document: bytes, lists: frozenset[str]) -> bytes:
    """Return the JSON object of an XML document, with its root element as the one member.

    Parameters
    ----------
    lists : frozenset[str]
        The elements that are lists also where there is one.

    Raises
    ------
    BodyError
        When it is no XML, has a document type (and so entities), or is beyond a bound.
    """
    if document.count(b"=") > MOST_ATTRIBUTES:
        raise BodyError(f"xml: more than {MOST_ATTRIBUTES:,} attributes, by the equals signs")
    builder = _Builder(lists)
    parser = DefusedExpatParser(namespaceHandling=1, forbid_dtd=True)
    parser.setContentHandler(builder)
    try:
        parser.feed(document)
        parser.close()
        return orjson.dumps(builder.root)
    except DefusedXmlException:
        raise BodyError("xml: a document type is not allowed, nor are entities") from None
    except (SAXException, ValueError, LookupError) as error:
        raise BodyError(f"xml: {error}") from None


class _Builder(handler.ContentHandler):
    def __init__(self, lists: frozenset[str]) -> None:
        super().__init__()
        self.root: dict[str, Any] = {}
        self._lists = lists
        self._objects = [self.root]
        self._texts: list[list[str]] = [[]]
        self._elements = 0

    # Names and arguments are those of `xml.sax`.
    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: ARG002, N802
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._objects) > DEEPEST:
            raise BodyError(
                f"xml: more than {MOST_ELEMENTS:,} elements, or {DEEPEST} levels of them"
            )
        found: dict[str, Any] = {}
        for (_, key), value in attrs.items():
            if f"@{key}" in found:
                raise BodyError(f"xml: two attributes {key[:60]!r}, but for their namespaces")
            found[f"@{key}"] = value
        self._objects.append(found)
        self._texts.append([])

    def startPrefixMapping(self, prefix: Any, uri: Any) -> None:  # noqa: ARG002, N802
        if uri and len(uri) > LONGEST_NAMESPACE:
            raise BodyError(f"xml: a namespace of more than {LONGEST_NAMESPACE:,} characters")

    def characters(self, content: str) -> None:
        self._texts[-1].append(content)

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: ARG002, N802
        found, text = self._objects.pop(), "".join(self._texts.pop()).strip()
        value: Any = found or text or None
        if found and text:
            found[_TEXT] = text
        parent, key = self._objects[-1], name[1]
        known = parent.get(key)
        if isinstance(known, list):
            known.append(value)
        elif key in parent:
            parent[key] = [known, value]
        else:
            parent[key] = [value] if key in self._lists else value
