"""The built-in sources, read once in a process, and those of them that the tests deploy."""

from __future__ import annotations

from functools import cache

from settings.source.loader import LoadedSource, available_sources, load_source
from toolbox.sources.samples import LoadedSample, load_samples

#: One service has no room for all of them. Each way in, each kind of proof and each detail of one
#: is among them.
ROUTED = (
    "alertmanager",  # a bearer token, and a list that is split
    "auth0",
    "azure-devops",  # a password
    "azure-event-grid",  # a handshake in the body
    "bitbucket",
    "box",
    "circleci",  # a list of signatures
    "clerk",  # extends one that extends
    "cloudflare",  # a token in a header of its own
    "cloudflare-logpush",  # lines
    "docusign",  # several headers with a signature
    "generic",
    "generic-hmac",
    "gitguardian",  # a key with the time in it
    "github",
    "gitlab",
    "grafana",  # extends another one
    "hcp-terraform",  # SHA-512
    "intercom",  # SHA-1, and a handshake by HEAD
    "linear",  # a time in the body
    "okta",
    "pagerduty",
    "slack",
    "standard-webhooks",
    "stripe",
    "zendesk",  # an ISO 8601 time
    "zoom",
)


@cache
def built_in(name: str) -> LoadedSource:
    """Load a source of the catalogue."""
    return load_source(available_sources()[name])


@cache
def built_in_samples(name: str) -> tuple[LoadedSample, ...]:
    """Load the samples of a source of the catalogue."""
    return tuple(load_samples(built_in(name)))
