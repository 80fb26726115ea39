"""A source's settings in words: how it is proved, kept apart, mapped, and what its sender needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.source.detail_fields import places_of, values_of
from settings.source.model import HmacAuthentication, TokenAuthentication
from toolbox.project.next_steps import next_step
from toolbox.sources.samples_as_sent import signs
from toolbox.sources.sound import origin
from toolbox.sources.told_handshakes import handshakes
from toolbox.sources.verification import signers, verification_of

if TYPE_CHECKING:
    from settings.source.body import BodyRule
    from settings.source.body_form import BodySettings
    from settings.source.detail_fields import Places, ValueRule
    from settings.source.loader import LoadedSource
    from settings.source.model import Source

_PLAIN_PROOFS = {
    "basic": "user and password (HTTP Basic)",
    "network": "the sender's address alone",
    "none": "NOTHING: whoever knows the address makes events",
}


def listed_source(source: LoadedSource) -> dict[str, Any]:
    """Return what is told of a source in a list."""
    settings = source.settings
    how = settings.authentication.type if settings.authentication else ""
    return {
        "name": source.name,
        "kind": settings.kind or "",
        "title": settings.title,
        "ingest": settings.ingest,
        "authentication": how or (settings.poll.credential.type if settings.poll else ""),
        "verification": verification_of(source),
        "samples": len(list((source.folder / "samples").glob("*.yaml"))),
        "from": origin(source.folder),
        "folder": str(source.folder),
    }


def explained(source: LoadedSource, parameter: str) -> dict[str, Any]:
    """Return each setting in words: a text, or several.

    Parameters
    ----------
    parameter : str
        The SSM parameter of its secret; `none` where it has none.
    """
    settings = source.settings
    types = [f"{name}: {file}" for name, file in sorted(settings.schemas.types.items())]
    if settings.schemas.default:
        types.append(f"every other type: {settings.schemas.default}")
    polls = settings.ingest == "poll"
    in_path = settings.token is not None and settings.token.path
    route = " or ".join(settings.methods)
    return {
        "route": "none: events are fetched"
        if polls
        else f"{route} /{source.name}{'/<token>' if in_path else ''}",
        **({"handshakes": handshakes(settings)} if settings.handshake else {}),
        **({"upgrade": next_step(f"source upgrade {source.name}")} if settings.is_old else {}),
        "proof": proof(settings),
        **(
            {"signed_by": sorted(set(signers(source))) or "none of the samples"}
            if signs(settings)
            else {}
        ),
        "content_types": list(settings.content_types),
        "keeps_headers": list(settings.headers.keep) or "none",
        "event_type": _place(settings.event_type) or "none: events have no type",
        "ignored_types": list(settings.ignore_types) or "none",
        "delivery_id": _identity(settings),
        "remembered": _memory(settings),
        **({"body": _body(settings.body)} if settings.body else {}),
        **({"skips": [one.said for one in settings.skip]} if settings.skip else {}),
        "split": f"each element of {settings.split.path}" if settings.split else "one event each",
        "schemas": types or "none: any JSON object will do",
        "mozdef": _mapping(source),
        "queues": source.queues,
        "parameter": parameter if parameter == "none" else f"{parameter} (SSM SecureString)",
        "sender_needs": sender_needs(source),
        "documentation": settings.documentation or "not given",
    }


def proof(settings: Source) -> str:
    """Say in one sentence how a sender proves who it is."""
    how = settings.authentication
    networks = f", from {', '.join(settings.allowed_networks)}" if settings.allowed_networks else ""
    if isinstance(how, TokenAuthentication):
        return _token(how) + networks
    if settings.proof in _PLAIN_PROOFS:
        return _PLAIN_PROOFS[settings.proof] + networks
    if isinstance(how, HmacAuthentication):
        return _hmac(how) + networks
    if settings.proof_of_body is not None:
        return settings.proof_of_body.said + networks
    polls = settings.poll
    return f"our own credential ({polls.credential.type})" if polls else "nothing"


def _token(how: TokenAuthentication) -> str:
    if how.path:
        return "a token in the path, after the source's name"
    if how.query:
        return f"a token in the query's {how.query}"
    return f"a token in {how.header}{f', after {how.prefix!r}' if how.prefix else ''}"


def _hmac(how: HmacAuthentication) -> str:
    where = " or ".join(how.all_headers) or how.place[1:]
    if how.position is not None:
        where += f", from part {how.position} on"
    if how.prefix:
        where += f" after {how.prefix!r}"
    key = f", with the secret's {how.secret.digest.upper()}" if how.secret.digest else ""
    if how.key != "{secret}":
        key += f", with the key {how.key}"
    when = how.timestamp
    age = f", at most {when.tolerance_seconds} s old" if when else ""
    age += f" by {when.path} of the body" if when and when.path else ""
    return f"HMAC-{how.algorithm.upper()} over {how.signed}, {how.encoding}, in {where}{key}{age}"


def _body(form: BodySettings) -> str:
    texts = ", ".join(f"{one.path} ({one.encoding}, {one.format})" for one in form.unwrap)
    inner = f", with what is in {texts}" if texts else ""
    event = f", of which {form.event}" if form.event else ""
    return f"{form.format}{inner}{event}"


def _place(locator: Any) -> str:
    if locator is None:
        return ""
    return f"header {locator.header}" if locator.header else f"path {locator.path}"


def _identity(settings: Source) -> list[str]:
    found = settings.delivery_id
    if found is None:
        return ["none: the body's hash stands for it"]
    if found.header:
        return [f"header {found.header}"]
    return [
        *(f"path {path}" for path in found.needed_paths),
        *(f"path {path}, where present" for path in found.where_present),
    ]


def _memory(settings: Source) -> list[str]:
    """Say for how long what is remembered, and what becomes of what only looks like a copy."""
    if not settings.deduplication_hours:
        return ["nothing: no copy is dropped"]
    said = []
    if settings.delivery_id:
        said.append(f"an id for {settings.deduplication_hours} hours")
        said.append(f"a known id with another body: {settings.same_id}")
    if settings.id_is_unsigned:
        said.append(f"a known body under another id: {settings.same_body}")
    hours = settings.remembered_body_hours
    without = (
        "where an event has no id, its body's hash" if settings.delivery_id else "the body's hash"
    )
    said.append(f"{without} for {hours} hours" if hours else f"{without}: not at all, copies stay")
    return said


def _mapping(source: LoadedSource) -> list[str]:
    mapping = source.settings.mozdef
    times = " or ".join(mapping.timestamps) or "of the arrival"
    return [
        "body: details itself" if mapping.body == "top" else f"body: details.{source.name}",
        *(f"{one.kind} {', '.join(one.paths)}{_rename(one)}" for one in mapping.rules),
        f"category {mapping.category or source.name}, tags {list(mapping.tags or [source.name])}",
        f"summary {mapping.summary}",
        f"timestamp {times}, severity {mapping.severity}",
        *(f"details.{name} from {_places(places)}" for name, places in mapping.fields.items()),
        *map(_rule, mapping.by_value),
        *(f"category of {name}: {what}" for name, what in mapping.category_by_type.items()),
        *(f"severity of {name}: {level}" for name, level in mapping.severity_by_type.items()),
    ]


def _rename(rule: BodyRule) -> str:
    return (f" to {rule.to}" if rule.to else "") + (f", {rule.only} only" if rule.only else "")


def _places(places: Places) -> str:
    return " or ".join(one.path for one in places_of(places))


def _rule(rule: ValueRule) -> str:
    said = ", ".join(filter(None, (rule.category, rule.severity)))
    when = " and ".join(
        f"{path} is {' or '.join(map(str, values_of(wanted)))}"
        for path, wanted in rule.when.items()
    )
    return f"{said} where {when}" + (f", of {', '.join(rule.types)}" if rule.types else "")


def sender_needs(source: LoadedSource) -> list[str]:
    """Say what has to be entered on the sender's side."""
    settings = source.settings
    if settings.poll is not None:
        wanted = [f"in config: {key}: {what}" for key, what in settings.poll.variables.items()]
        return [*wanted, "a credential that may read its log, written with 'secret set'"]
    how = settings.authentication
    path, query = (how.path, how.query) if isinstance(how, TokenAuthentication) else (False, None)
    shown = "/<the token of 'secret set'>" if path else f"?{query}=<the token>" if query else ""
    needs = [f"the URL: <ApiUrl>/{source.name}{shown}; ApiUrl is an output of the stack"]
    if settings.proof == "basic":
        needs.append("user and password: a line 'user:password' of 'secret set'")
    elif isinstance(how, TokenAuthentication) and how.in_header:
        needs.append(f"a header {how.header}: {how.prefix}<the token of 'secret set'>")
    elif settings.proof_of_body is not None and settings.proof_of_body.key_algorithm:
        if settings.parameter:
            needs.append("the sender's public key, written with 'secret set'")
    elif settings.parameter and not shown:
        needs.append("the secret: the same as with 'secret set', from either side")
    if settings.handshake:
        needs.append("first the stack and the secret, then the URL: the sender tries it at once")
    return needs
