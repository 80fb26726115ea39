"""Where the APIs are, as the deployment says, and which URLs belong to one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from pipeline.errors import PipelineError
from pipeline.polling.errors import PollError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = {"127.0.0.1", "[::1]", "localhost"}
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_PORTS = {"https": 443, "http": 80}


class TargetError(PipelineError):
    """What the deployment says of an API makes no sense."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: all that a poll ever connects to."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Target:
    """One API of this deployment.

    Parameters
    ----------
    base_url : str
        With its variables filled in, without a slash at the end.
    start_hours_ago : int | None
        Where the very first poll begins; None takes the source's own.
    """

    base_url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    start_hours_ago: int | None = None

    @property
    def origin(self) -> Origin:
        """The only place that its feeds are fetched from."""
        return origin_of(parse_url(self.base_url))

    def url(self, path: str) -> str:
        """Return the URL of a path, its variables filled in."""
        return self.base_url + fill(path, self.variables)


def read_targets(plain: Mapping[str, Any]) -> dict[str, Target]:
    """Read the targets by source.

    Parameters
    ----------
    plain : Mapping[str, Any]
        The JSON of POLL_TARGETS.

    Raises
    ------
    TargetError
        When one is wrong. An address must be https; http serves for this machine alone.
    """
    return {source: _target(source, value) for source, value in plain.items()}


def _target(source: str, plain: Any) -> Target:
    where = f"POLL_TARGETS: {source}"
    if not isinstance(plain, dict) or not isinstance(plain.get("base_url"), str):
        raise TargetError(f'{where}: expected an object with "base_url"')
    variables = plain.get("variables", {})
    hours = plain.get("start_hours_ago")
    if not isinstance(variables, dict):
        raise TargetError(f'{where}: "variables" must be an object, name to text')
    if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int) or hours < 0):
        raise TargetError(f'{where}: "start_hours_ago" must be a whole number from 0 on')
    variables = {str(name): str(value) for name, value in variables.items()}
    base_url = fill(plain["base_url"], variables).rstrip("/")
    try:
        url = parse_url(base_url)
        origin = origin_of(url)
    except (LocationParseError, PollError):
        raise TargetError(f"{where}: base_url is no URL with a scheme and a host") from None
    if url.query or url.fragment or "{" in base_url:
        raise TargetError(f"{where}: base_url must have no query, fragment or open variable")
    if origin.scheme != "https" and origin.host not in _LOOPBACK:
        raise TargetError(f"{where}: base_url must begin with https://, for {origin.host}")
    return Target(base_url, variables, hours)


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in the place of their names in braces, escaped."""
    for name, value in variables.items():
        text = text.replace(f"{{{name}}}", quote(value, safe=""))
    return text


def origin_of(url: Url) -> Origin:
    """Return the origin of a URL.

    Raises
    ------
    PollError
        When it has none, or carries a user's name.
    """
    if url.scheme not in _PORTS or not _HOST.fullmatch(url.host or "") or url.auth:
        raise PollError("a URL without http(s) and host, or with a user's name")
    return Origin(url.scheme, str(url.host).lower(), url.port or _PORTS[url.scheme])


def follow(current: str, target: str, origin: Origin, what: str) -> str:
    """Return the URL that a link or a redirect leads to, which must be of the same origin.

    Parameters
    ----------
    target : str
        What the answer names; it may be relative.
    origin : Origin
        Where it must be.

    Raises
    ------
    PollError
        When it leads elsewhere: no other host may see the credential, or feed us events.
    """
    try:
        # The parser of the client that connects: two parsers could see two hosts in one URL.
        url = parse_url(urljoin(current, target.strip()))
        found = origin_of(url)
    except (LocationParseError, PollError, ValueError):
        raise PollError(f"{what} leads to no URL that can be used") from None
    if found != origin:
        raise PollError(
            f"{what} leads to {found.scheme}://{found.host}:{found.port}, which is not the "
            f"source's own host {origin.host}:{origin.port}; it was not followed"
        )
    return url._replace(fragment=None).url
