"""Finds the schemas in a schema file, and where each `$ref` leads; asks no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from settings.source.schema_words import (
    CONTAINERS,
    ONE_SCHEMA,
    SAME_VALUE,
    SCHEMA_LIST,
    SCHEMA_MAP,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Pointer = tuple[str, ...]


class SchemaReferenceError(ValueError):
    """A `$ref` or an `$id` leads nowhere in its file.

    Parameters
    ----------
    pointer : Pointer
        Where it stands.
    """

    def __init__(self, pointer: Pointer, expected: str) -> None:
        self.pointer = pointer
        super().__init__(expected)


def as_pointer(pointer: Pointer) -> str:
    """Write a JSON Pointer (RFC 6901)."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in pointer)


def subschemas(node: Mapping[str, Any]) -> Iterator[tuple[Pointer, Any]]:
    """Return the schemas directly in a schema, by where they stand in it.

    What stands in `enum`, `const`, `default` or `examples` is data, and a key of `properties` is
    a name. Beside a `$ref` everything but the containers is passed over, up to draft 7.
    """
    beside = isinstance(node.get("$ref"), str)
    for word, value in node.items():
        if word in CONTAINERS or (word in SCHEMA_MAP and not beside):
            if isinstance(value, dict):
                yield from (
                    ((word, name), one) for name, one in value.items() if not isinstance(one, list)
                )
        elif beside:
            continue
        elif word in SCHEMA_LIST and isinstance(value, list):
            yield from (((word, str(number)), one) for number, one in enumerate(value))
        elif word in ONE_SCHEMA:
            yield (word,), value


class SchemaPlaces:
    """Every schema of a file, by its JSON Pointer.

    Parameters
    ----------
    root : Mapping[str, Any]
        The file's schema.
    draft : int
        4, 6 or 7: the first calls the identifier `id`, the others `$id`.

    Raises
    ------
    SchemaReferenceError
        When two schemas have one identifier, or a `$ref` leads nowhere or out of the file.
    RecursionError
        When it is nested too deep.
    """

    def __init__(self, root: Mapping[str, Any], draft: int) -> None:
        self.root = root
        self._id_word = "id" if draft == 4 else "$id"
        self._bases: dict[Pointer, str] = {}
        self._ids: dict[str, Pointer] = {}
        self._targets: dict[Pointer, Pointer] = {}
        self._walk((), root, "")
        self._ids.setdefault(self._bases[()], ())
        # A target may stand where no schema was looked for, and hold further references.
        waiting = list(self._bases)
        while waiting:
            known = len(self._bases)
            for pointer in waiting:
                self._follow(pointer)
            waiting = list(self._bases)[known:]
        self._refuse_circles()

    def __iter__(self) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
        """Return every schema that is an object, with where it stands."""
        return ((pointer, self.at(pointer)) for pointer in self._bases)

    def at(self, pointer: Pointer) -> Any:
        """Return what stands somewhere.

        Raises
        ------
        LookupError, ValueError
            When nothing does.
        """
        node: Any = self.root
        for token in pointer:
            node = node[int(token)] if isinstance(node, list) else node[token]
        return node

    def target(self, pointer: Pointer) -> Pointer | None:
        """Return where the `$ref` of a schema leads; None for one that has none."""
        return self._targets.get(pointer)

    def _walk(self, pointer: Pointer, node: Any, base: str) -> None:
        if not isinstance(node, dict) or pointer in self._bases:
            return
        named = node.get(self._id_word)
        if isinstance(named, str) and not isinstance(node.get("$ref"), str):
            uri, fragment = urldefrag(_joined(base, named))
            if uri != base:
                self._name(uri, pointer)
                base = uri
            if fragment:
                self._name(f"{uri}#{fragment}", pointer)
        self._bases[pointer] = base
        for way, one in subschemas(node):
            self._walk((*pointer, *way), one, base)

    def _name(self, uri: str, pointer: Pointer) -> None:
        if uri in self._ids:
            first = as_pointer(self._ids[uri]) or "the whole schema"
            raise SchemaReferenceError((*pointer, self._id_word), f"{uri} names {first} already")
        self._ids[uri] = pointer

    def _follow(self, pointer: Pointer) -> None:
        reference = self.at(pointer).get("$ref")
        if not isinstance(reference, str):
            return
        here = (*pointer, "$ref")
        uri, fragment = urldefrag(_joined(self._bases[pointer], reference))
        start = self._ids.get(uri)
        if start is None:
            expected = f"{reference} is another document; copy what is needed to '#/definitions/…'"
            raise SchemaReferenceError(here, expected)
        if fragment.startswith("/"):
            tokens = unquote(fragment)[1:].split("/")
            target = (*start, *(one.replace("~1", "/").replace("~0", "~") for one in tokens))
        else:
            named = self._ids.get(f"{uri}#{fragment}") if fragment else start
            if named is None:
                raise SchemaReferenceError(here, f"{reference} leads nowhere")
            target = named
        try:
            node = self.at(target)
        except (LookupError, ValueError, TypeError):
            raise SchemaReferenceError(here, f"{reference} leads nowhere") from None
        if not isinstance(node, dict | bool):
            raise SchemaReferenceError(here, f"{reference} leads to what is no schema")
        self._targets[pointer] = target
        around = target
        while around not in self._bases:
            around = around[:-1]
        self._walk(target, node, self._bases[around])

    def _refuse_circles(self) -> None:
        """Refuse what would be checked without end, since each step is about the same value."""
        done: set[Pointer] = set()

        def visit(pointer: Pointer, way: tuple[Pointer, ...]) -> None:
            if pointer in way:
                expected = "leads back to itself without going into the event"
                raise SchemaReferenceError(pointer, expected)
            if pointer not in done:
                for one in self._same_value(pointer):
                    visit(one, (*way, pointer))
                done.add(pointer)

        for pointer in self._bases:
            visit(pointer, ())

    def _same_value(self, pointer: Pointer) -> Iterator[Pointer]:
        node = self.at(pointer)
        if pointer in self._targets:
            yield self._targets[pointer]
        elif isinstance(node, dict):
            for way, _ in subschemas(node):
                if way[0] in SAME_VALUE:
                    yield (*pointer, *way)


def _joined(base: str, reference: str) -> str:
    # `urljoin` drops a base such as urn:…, which has no path to join to.
    return base + reference if reference.startswith("#") else urljoin(base, reference)
