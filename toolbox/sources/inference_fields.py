"""Finds in samples what MozDef's alerts and analysts look for: addresses, names, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.detail_fields import address_of, port_of, text_of
from pipeline.event.fields import find, path_text
from toolbox.sources.inference_values import is_identifier, is_time, name_of_key, scalar_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Path = tuple[str, ...]

_MOST_PATHS = 4
_LONGEST_NAME, _LONGEST_AGENT = 200, 1_000
#: What a value is called, the likelier first; with a full stop, after what it is within.
_NAMES: dict[str, tuple[str, ...]] = {
    "sourceipaddress": (
        *("sourceipaddress", "source_ip_address", "source_ip", "sourceip", "src_ip", "srcip"),
        *("client_ip", "clientip", "client_ip_address", "remote_ip", "remote_addr", "actor_ip"),
        *("user_ip", "login_ip", "ip_address", "ipaddress", "ip", "ip.address", "source.address"),
    ),
    "destinationipaddress": (
        *("destinationipaddress", "destination_ip_address", "destination_ip", "dest_ip", "dst_ip"),
        *("dstip", "target_ip", "server_ip"),
    ),
    "sourceport": ("sourceport", "source_port", "src_port", "client_port", "remote_port"),
    "destinationport": ("destinationport", "destination_port", "dest_port", "dst_port"),
    "username": (
        *("username", "user_name", "user.email", "user.login", "user.username", "user.name"),
        *("actor.email", "actor.login", "actor.username", "actor.name", "account.email"),
        *("login", "user_email", "actor_email", "email", "user", "actor"),
    ),
    "useragent": ("useragent", "user_agent", "http_user_agent", "raw_user_agent"),
    "sourceuri": ("sourceuri", "referer", "referrer"),
    "destinationuri": ("destinationuri", "request_uri", "request_url"),
    "success": (
        *("success", "succeeded", "successful", "is_success", "ok", "result", "outcome"),
        *("outcome.result", "status", "login_status"),
    ),
}
#: A value below one of these is the other side's.
_OTHER_SIDE = frozenset({"destination", "dest", "dst", "server", "target", "recipient"})
_MEANT = {
    **dict.fromkeys(
        ("success", "succeeded", "successful", "ok", "allow", "allowed", "passed"), True
    ),
    **dict.fromkeys(("failure", "failed", "fail", "denied", "deny", "error", "refused"), False),
    **dict.fromkeys(("blocked", "rejected", "unsuccessful", "fraud", "forbidden"), False),
}


def find_fields(events: Sequence[Any], used: Iterable[str]) -> dict[str, Any]:
    """Propose where the fields of `details` are, as `mozdef.fields` has them.

    Parameters
    ----------
    used : Iterable[str]
        Paths of what is something else: the event's id, its time.
    """
    taken = set(used)
    paths: dict[Path, None] = {}
    for event in events:
        paths.update(dict.fromkeys(scalar_paths(event, flags=True)))
    free = [path for path in paths if path_text(path) not in taken]
    fields: dict[str, Any] = {}
    for name, fits in _FITS.items():
        ranked = sorted(
            (rank, len(path), path_text(path), path)
            for path in free
            if (rank := _rank(path, name)) is not None
            and any(fits(find(event, path)) for event in events)
        )
        if ranked:
            texts = [text for _, _, text, _ in ranked[:_MOST_PATHS]]
            fields[name] = texts[0] if len(texts) == 1 else texts
    return fields | _success(free, events)


def _rank(path: Path, name: str) -> int | None:
    names = _NAMES[name]
    plain = [name_of_key(part) for part in path]
    if name.startswith("source") and _OTHER_SIDE.intersection(plain[:-1]):
        return None
    for ending in (".".join(plain[-2:]), plain[-1]):
        if ending in names:
            return names.index(ending)
    return None


def _success(free: Sequence[Path], events: Sequence[Any]) -> dict[str, Any]:
    ranked: list[tuple[int, int, str, dict[str, bool] | None]] = []
    for path in free:
        rank = _rank(path, "success")
        values = [value for event in events if (value := find(event, path)) is not None]
        if rank is None or not values:
            continue
        if all(isinstance(value, bool) for value in values):
            ranked.append((rank, len(path), path_text(path), None))
        elif known := {
            value: _MEANT[value.lower()]
            for value in values
            if isinstance(value, str) and value.lower() in _MEANT
        }:
            ranked.append((rank, len(path), path_text(path), dict(sorted(known.items()))))
    if not ranked:
        return {}
    _, _, text, meant = min(ranked, key=lambda one: one[:3])
    if meant is None:
        return {"success": text}
    failed = {value: not good for value, good in meant.items()}
    return {
        "success": {"path": text, "values": meant},
        "error": {"path": text, "values": failed},
    }


def _is_name(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or is_time(value):
        return False
    return text_of(value) is not None and not is_identifier(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_AGENT


_FITS: dict[str, Callable[[Any], bool]] = {
    "sourceipaddress": lambda value: address_of(value) is not None,
    "destinationipaddress": lambda value: address_of(value) is not None,
    "sourceport": lambda value: port_of(value) is not None,
    "destinationport": lambda value: port_of(value) is not None,
    "username": _is_name,
    "useragent": _is_text,
    "sourceuri": _is_text,
    "destinationuri": _is_text,
}
