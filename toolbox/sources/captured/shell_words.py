"""Takes a shell's text apart as bash does, and runs nothing of it."""

from __future__ import annotations

import re

from toolbox.sources.captured.request import CaptureError

_MOST_WORDS = 2_000
#: Of quotes, escapes and what is between them, each of which takes a microsecond.
_MOST_PIECES = 300_000
#: Escapes of $'…' (bash(1), "QUOTING").
_ESCAPES = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
            "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}  # fmt: skip
_NUMBERED = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})")
_PAIR = re.compile("([\ud800-\udbff])([\udc00-\udfff])")
_PLAIN = re.compile(r"[^\s'\"\\$`;&|<>()#]+|#")
_IN_QUOTES = re.compile(r"[^\"\\$`]+")


def commands_of(text: str, file: str) -> list[list[str]]:
    r"""Return the words of each command.

    What a shell would run or look up (`$(…)`, `` `…` ``, `$NAME`) and where it would write is
    refused: a capture has none of it. Bytes of `\\x` are kept as characters below 256 that are
    marked as in `surrogateescape`, so that a body has them again.

    Raises
    ------
    CaptureError
        When a quote is not closed, or something would be run.
    """
    return _Shell(text, file).commands()


class _Shell:
    def __init__(self, text: str, file: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._file = file
        self._place = 0
        self._pieces = 0

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > _MOST_PIECES:
            raise CaptureError(
                f"{self._file}: more than {_MOST_PIECES:,} quotes and escapes; give it as raw HTTP"
            )

    def commands(self) -> list[list[str]]:
        commands: list[list[str]] = [[]]
        count = 0
        while self._place < len(self._text):
            self._count()
            character = self._text[self._place]
            if character in " \t":
                self._place += 1
            elif self._text.startswith("\\\n", self._place):
                self._place += 2
            elif character in "\n;&|":
                self._place += 1
                if commands[-1]:
                    commands.append([])
            elif character == "#":
                end = self._text.find("\n", self._place)
                self._place = end if end >= 0 else len(self._text)
            else:
                commands[-1].append(self._word())
                count += 1
                if count > _MOST_WORDS:
                    raise CaptureError(f"{self._file}: more than {_MOST_WORDS:,} words")
        return [one for one in commands if one]

    def _word(self) -> str:
        pieces: list[str] = []
        while self._place < len(self._text):
            self._count()
            text, place = self._text, self._place
            if text.startswith("$'", place):
                pieces.append(self._ansi())
            elif text[place] == "'":
                end = self._closing("'", place + 1)
                pieces.append(text[place + 1 : end])
                self._place = end + 1
            elif text[place] == '"' or text.startswith('$"', place):
                self._place += 1 if text[place] == '"' else 2
                pieces.append(self._quoted())
            elif text[place] == "\\" and place + 1 < len(text):
                pieces.append("" if text[place + 1] == "\n" else text[place + 1])
                self._place += 2
            elif found := _PLAIN.match(text, place):
                pieces.append(found[0])
                self._place = found.end()
            elif text[place].isspace() or text[place] in ";&|":
                break
            else:
                raise self._refused(text[place])
        return "".join(pieces)

    def _quoted(self) -> str:
        pieces: list[str] = []
        text = self._text
        while self._place < len(text):
            self._count()
            place = self._place
            if text[place] == '"':
                self._place += 1
                return "".join(pieces)
            if text[place] == "\\" and place + 1 < len(text):
                after = text[place + 1]
                known = after in '"\\$`'
                pieces.append(after if known else "" if after == "\n" else "\\" + after)
                self._place += 2
            elif text[place] in "$`" and _runs(text, place):
                raise self._refused(text[place])
            elif found := _IN_QUOTES.match(text, place):
                pieces.append(found[0])
                self._place = found.end()
            else:
                pieces.append(text[place])
                self._place += 1
        raise CaptureError(f'{self._file}: a " is not closed')

    def _ansi(self) -> str:
        pieces: list[str] = []
        text, place = self._text, self._place + 2
        while place < len(text):
            self._count()
            if text[place] == "'":
                self._place = place + 1
                return "".join(pieces)
            if text[place] != "\\":
                end = min(e for e in (text.find("'", place), text.find("\\", place), len(text))
                          if e >= 0)  # fmt: skip
                pieces.append(text[place:end])
                place = end
            elif found := _NUMBERED.match(text, place + 1):
                pieces.append(_numbered(found))
                place = found.end()
            else:
                after = text[place + 1 : place + 2]
                pieces.append(_ESCAPES.get(after, "\\" + after))
                place += 2
        raise CaptureError(f"{self._file}: a $' is not closed")

    def _closing(self, quote: str, place: int) -> int:
        end = self._text.find(quote, place)
        if end < 0:
            raise CaptureError(f"{self._file}: a {quote} is not closed")
        return end

    def _refused(self, character: str) -> CaptureError:
        return CaptureError(
            f"{self._file}: {character!r} outside of quotes or before a name has a shell do "
            "something; write its value out"
        )


def _runs(text: str, place: int) -> bool:
    after = text[place + 1 : place + 2]
    return text[place] == "`" or after.isalnum() or after in {"_", "{", "("}


def _numbered(found: re.Match[str]) -> str:
    byte, short, long, octal = found.groups()
    if short or long:
        return chr(min(int(short or long, 16), 0x10FFFF))
    value = int(byte, 16) if byte else int(octal, 8) & 0xFF
    return chr(value) if value < 0x80 else chr(0xDC00 + value)


def bytes_of(text: str) -> bytes:
    r"""Return what a shell hands on: `\\x` made bytes, and two `\\u` one character."""
    joined = _PAIR.sub(
        lambda pair: chr(0x10000 + (ord(pair[1]) - 0xD800) * 0x400 + ord(pair[2]) - 0xDC00), text
    )
    try:
        return joined.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return joined.encode(errors="replace")
