"""How near a stack comes to what AWS takes, by the number of its sources and their way in."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from infra.assembly import app
from infra.assembly.quotas import LIMITS, NAMES, QuotaError, set_name, uses
from loadtests.deploy_check.frame import CheckRow, DeployCheck
from settings.deployment import Deployment
from settings.source.loader import load_sources, read_source_settings
from settings.spreading import spread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNTS = (1, 10, 50, 100, 300)
SERVICE, STAGE = "ingest", "production"
_HMAC = """\
version: 1
title: One of many
authentication: {{type: hmac, header: X-Signature}}
headers: {{keep: [X-Signature, X-Kind], require: [X-Signature]}}
event_type: {{header: X-Kind}}
ingest: {way}
"""
_POLL = """\
version: 1
title: One of many
ingest: poll
poll:
  base_url: https://{{domain}}/api
  variables: {{domain: such as a.example}}
  credential: {{type: header}}
  feeds:
    one: {{path: /one, events: ., pagination: {{type: link}}}}
    two: {{path: /two, events: ., pagination: {{type: link}}}}
"""
WAYS = {"direct": _HMAC, "receiver": _HMAC, "poll": _POLL}


def _quotas(folder: Path) -> Iterator[CheckRow]:
    """Synthesize the largest service of each plan: what fits it fits all of them."""
    layer = _layer(folder)

    @cache
    def largest(way: str, count: int) -> dict[str, Any]:
        return _template(folder / f"{way}-{count}", layer, _names(count), way)

    for way in WAYS:
        for count in COUNTS:
            services = _spread(folder / f"{way}-{count}-all", _names(count), way)
            size = max(map(len, services))
            try:
                found = uses(largest(way, size), f"MozDef-EF-{SERVICE}99-{STAGE}")
            except QuotaError as error:
                yield CheckRow((way, count, len(services), size, "", "", ""), error.lines)
                continue
            # Those of names are a table of their own.
            found = [use for use in found if "name" not in use.limit]
            worst = max(found, key=lambda use: use.used / LIMITS[use.limit])
            share = f"{100 * worst.used / LIMITS[worst.limit]:.0f} %"
            cells = (way, count, len(services), size, worst.limit, f"{worst.used:,}", share)
            yield CheckRow(cells, [str(one) for one in found if not one.fits])


def _names(count: int) -> list[str]:
    return [f"vendor-{number:03d}" for number in range(count)]


def _write(folder: Path, names: list[str], way: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "source.yaml").write_text(WAYS[way].format(way=way), encoding="utf-8")
    return folder


def _spread(folder: Path, names: list[str], way: str) -> list[list[str]]:
    place = _write(folder, names[:1], way)
    settings = read_source_settings(place / names[0])
    return spread(f"MozDef-EF-{SERVICE}-{STAGE}", dict.fromkeys(names, settings))


def _template(
    folder: Path, layer: Path, names: list[str], way: str, **parts: str
) -> dict[str, Any]:
    place = _write(folder / "sources", names, way)
    if way == "poll":
        # As config check wants it: an API has a route.
        _write(place, ["door"], "direct")
    pollers = {name: {"variables": {"domain": f"{name}.example.com"}} for name in names}
    deployment = Deployment.model_validate(
        {
            "stage": STAGE,
            "service": f"{SERVICE}99",
            "sources": [*names, *(["door"] if way == "poll" else [])],
            "source_directory": place,
            "pollers": pollers if way == "poll" else {},
            "web_acl": True,
            **parts,
        }
    )
    sources = load_sources(deployment.sources, place)
    written = app.synthesize(deployment, sources, folder / "assembly", layer=layer)
    template: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return template


def _layer(folder: Path) -> Path:
    """Return a layer that needs no package: no template depends on what is in it."""
    place = folder / "layer"
    (place / "python").mkdir(parents=True)
    (place / "python" / "empty.py").write_text("", encoding="utf-8")
    return place


def _names_set(folder: Path) -> Iterator[CheckRow]:
    """Compare the set names of two stacks whose parts are as long as they may be."""
    layer, found = _layer(folder), []
    parts = {"project": "P" * 20, "service": "s" * 20}
    for stage in ("t" * 20, f"{'t' * 19}u"):
        template = _template(folder / stage, layer, ["a", "b"], "poll", **parts, stage=stage)
        found.append((template, f"{parts['project']}-{parts['service']}-{stage}"))
    (one, stack), (other, _) = found
    length = {use.limit: use.used for use in sorted(uses(one, stack))}
    for kind, (_, of, most) in NAMES.items():
        limit = f"characters of {of}'s name"
        shared = _set(one, kind) & _set(other, kind)
        faults = [f"{kind}: both stacks have {name}" for name in sorted(shared)]
        if limit in length:
            longest = max(use.used for use in uses(one, stack) if use.limit == limit)
            faults += [f"{limit}: {longest}"] if longest > most else []
            yield CheckRow((of, len(_set(one, kind)), longest, most, len(shared)), faults)


def _set(template: dict[str, Any], kind: str) -> set[str]:
    """Return names that are texts: one with a reference in it has an id that nobody else has."""
    return {
        name
        for resource in template["Resources"].values()
        if resource["Type"] == kind
        and isinstance(name := set_name(kind, resource.get("Properties", {})), str)
    }


QUOTAS = DeployCheck(
    "quotas",
    "The limit that is nearest, of the largest service that config check makes",
    ("way in", "sources", "services", "of which the largest has", "limit", "used", "share"),
    _quotas,
)
SET_NAMES = DeployCheck(
    "names",
    "Set names of two stages, all parts as long as may be",
    ("of", "names", "longest", "AWS takes", "in both"),
    _names_set,
)
