"""The methods of Java's String."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.vtl.values import VtlError, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JAVA_GROUP = re.compile(r"\\(.)|\$(\d)|\\$|\$", re.DOTALL)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _length(text: str) -> int:
    # Java counts UTF-16 units: an emoji has the length 2.
    return len(text) if text.isascii() else len(_utf16(text)) // 2


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = _length(text) if end is None else end
    if not 0 <= start <= stop <= _length(text):
        raise VtlError(f"substring({start}, {stop}) of a string of length {_length(text)}")
    if text.isascii():
        return text[start:stop]
    return _utf16(text)[2 * start : 2 * stop].decode("utf-16-le", "surrogatepass")


def _pattern(regex: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise VtlError(f"regular expression: {error}") from None


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    # Java writes a group as $1 and takes a backslash before any character as that character.
    def part(found: re.Match[str], value: re.Match[str]) -> str:
        literal, group = found.groups()
        if literal is not None:
            return str(literal)
        if group is None:
            raise VtlError("replacement: a lone $, or a backslash at its end")
        try:
            return value.group(int(group)) or ""
        except IndexError:
            raise VtlError(f"replacement: no group {group}") from None

    return lambda value: _JAVA_GROUP.sub(lambda found: part(found, value), text)


def _replace_all(text: str, regex: str, replacement: str) -> str:
    return _pattern(regex).sub(_replacement(replacement), text)


def _replace_first(text: str, regex: str, replacement: str) -> str:
    return _pattern(regex).sub(_replacement(replacement), text, count=1)


def _split(text: str, regex: str, limit: int = 0) -> list[str]:
    pattern = _pattern(regex)
    if pattern.groups or pattern.fullmatch(""):
        raise VtlError("split(): groups and empty matches are not supported")
    parts = pattern.split(text, maxsplit=max(limit - 1, 0) if limit > 0 else 0)
    if limit == 1 or not text:
        return [text]
    if limit == 0:
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
    return parts


def _char_at(text: str, index: int) -> str:
    return _substring(text, index, index + 1)


STRING_METHODS: Mapping[str, Callable[..., Any]] = {
    "length": _length,
    "isEmpty": lambda s: not s,
    "toLowerCase": str.lower,
    "toUpperCase": str.upper,
    "trim": lambda s: s.strip("".join(map(chr, range(0x21)))),
    "contains": lambda s, part: part in s,
    "startsWith": lambda s, prefix: s.startswith(prefix),
    "endsWith": lambda s, suffix: s.endswith(suffix),
    "equals": lambda s, other: isinstance(other, str) and s == other,
    "equalsIgnoreCase": lambda s, other: isinstance(other, str) and s.lower() == other.lower(),
    "indexOf": lambda s, part: _index(s, s.find(part)),
    "lastIndexOf": lambda s, part: _index(s, s.rfind(part)),
    "substring": _substring,
    "charAt": _char_at,
    "concat": lambda s, other: s + other,
    "replace": lambda s, old, new: s.replace(old, new),
    "replaceAll": _replace_all,
    "replaceFirst": _replace_first,
    "matches": lambda s, regex: _pattern(regex).fullmatch(s) is not None,
    "split": _split,
    "toString": to_text,
}


def _index(text: str, position: int) -> int:
    return position if position < 0 else _length(text[:position])
