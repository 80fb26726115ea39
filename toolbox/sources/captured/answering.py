"""Answers a sender that is listened to: its questions as a source would, events with 200."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipeline.event.outcomes import Verdict
from pipeline.receiving.answers import Answer, accepted, echoes, filled
from settings.source.loader import LoadedSource
from settings.source.model import Source
from toolbox.sources.captured.handshakes import asked_for, handshake_of
from toolbox.sources.checking import explain
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import SampleRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolbox.sources.captured.request import CapturedRequest

#: What an answer has that is made with the sender's secret.
_OF_SECRET = frozenset({"$hmac", "$sha256"})
_SIGNED = {"authentication": {"type": "hmac", "header": "X-Signature"},
           "headers": {"keep": ["X-Signature"]}}  # fmt: skip
_NEEDS_SECRET = "asks for a value made with its secret: give --secret-file"  # noqa: S105 - a text


@dataclass(frozen=True)
class Answering:
    """What a sender is answered.

    Where the source exists and its secret is given, as that source answers. Else nothing is
    proved, and its questions are answered for anyone, as far as no secret is needed for it.

    Parameters
    ----------
    known : LoadedSource | None
        The source, where there is one already.
    secrets : Sequence[str]
        The sender's, as far as they are known.
    folder : Path
        Where the source's files would be; nothing is read there.
    """

    name: str
    known: LoadedSource | None
    secrets: Sequence[str]
    folder: Path

    def answer(self, request: CapturedRequest, document: Any) -> tuple[Answer, str]:
        """Return the answer to a request, and what is said of it.

        Parameters
        ----------
        document : Any
            What is in its body; None where that cannot be told.
        """
        if self.known is not None and self.secrets:
            return self._taken(replace(self.known, compiled={}), request, is_proved=True)
        rules, said, what = self._rules(request, document)
        if not rules and (self.known is None or self.known.settings.answer is None):
            return accepted("captured"), said
        try:
            answer, said = self._asked(rules, request, said)
        except ValidationError:
            return accepted("captured"), "a handshake that source.yaml has no words for"
        is_answered = answer.verdict is Verdict.HANDSHAKE and what
        return answer, f"answered: {what}" if is_answered else said

    def _asked(
        self, rules: Sequence[dict[str, Any]], request: CapturedRequest, said: str
    ) -> tuple[Answer, str]:
        fit = [rule for rule in rules if self.secrets or not _values(rule) & _OF_SECRET]
        answer, found = self._taken(self._unproved(fit), request, is_proved=False)
        if answer.verdict is not Verdict.HANDSHAKE and len(fit) < len(rules):
            asked, _ = self._taken(self._unproved(rules), request, is_proved=False)
            said = _NEEDS_SECRET if asked.verdict is Verdict.HANDSHAKE else said
        return answer, found or said

    def _unproved(self, rules: Sequence[dict[str, Any]]) -> LoadedSource:
        """Return a source that asks no proof of a handshake; its answers are the known one's."""
        made: dict[str, Any] = {"version": 2, "title": self.name, "ingest": "receiver"}
        made |= _SIGNED | {"content_types": ["*/*"]}
        if rules:
            made["handshake"] = [rule | {"proof": "none", "token": None} for rule in rules]
        if self.known is not None and (form := self.known.settings.answer):
            made["answer"] = form.model_dump(mode="json", by_alias=True)
        return LoadedSource(self.name, self.folder, Source.model_validate(made), {})

    def _rules(
        self, request: CapturedRequest, document: Any
    ) -> tuple[list[dict[str, Any]], str, str]:
        """Return the rules, what is said where none fits, and what is answered where one does."""
        if self.known is not None:
            rules = self.known.settings.handshake_rules
            return [one.model_dump(mode="json", by_alias=True) for one in rules], "", ""
        seen: list[tuple[str, str]] = []
        parsed = [(request, document)] if request.body and document is not None else []
        rules = handshake_of([request], parsed, seen).get("handshake", [])
        asked = asked_for(request, document)
        said = next((text for label, text in seen if label == "handshake"), "")
        return rules, said, asked.what if asked else ""

    def _taken(
        self, source: LoadedSource, request: CapturedRequest, *, is_proved: bool
    ) -> tuple[Answer, str]:
        token = source.settings.token
        in_path = request.address.rpartition("/")[2] if token and token.path else ""
        sent = SampleRequest(
            dict(request.headers), request.body, request.method, request.query, request.address,
            in_path,
        )  # fmt: skip
        with compiled({self.name: source}) as catalog:
            secrets = tuple(self.secrets) or (make_secret(),)
            ending = Rehearsal({self.name: source}, catalog, secrets).take(
                self.name, sent, "listen"
            )
            form = catalog.sources[self.name].answer
        door = ending.door
        if isinstance(door, Answer):
            if door.verdict is Verdict.HANDSHAKE:
                return door, "a handshake, answered"
            if is_proved or door.reason == "bad_challenge":
                return door, explain(ending)
        headers = {name.lower(): value for name, value in request.headers}
        return filled(form, echoes(form, headers)) if form else accepted("captured"), ""


def _values(rule: dict[str, Any]) -> set[Any]:
    answer = rule.get("answer") or {}
    texts = [answer.get("text"), *(answer.get("json") or {}).values()]
    return {
        one for one in [*texts, *(answer.get("headers") or {}).values()] if isinstance(one, str)
    }
