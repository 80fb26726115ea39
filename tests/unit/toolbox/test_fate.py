"""What `source show` says that MozDef does with each type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolbox.sources.fate import OTHER, fates

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

PLUGIN = "its plugin github_webhooks keeps parts, without severity; its time is that of "


@pytest.mark.parametrize(
    ("name", "kind", "fate"),
    [
        ("github", "push", PLUGIN + "the head commit"),
        ("github", "member", PLUGIN + "MozDef's reading"),
        ("github", "secret_scanning_alert", "a document of its own, below details.github"),
        ("github", "ping", "never sees it: it is ignored"),
        ("github", OTHER, "a document of its own, below details.github"),
        (
            "zoom",
            "meeting.started",
            (
                "its plugin zoom_fixup keeps parts, without severity; its time is that of "
                "MozDef's reading"
            ),
        ),
        ("generic", OTHER, "a document of its own, in details itself"),
        ("okta", OTHER, "a document of its own, below details.okta"),
    ],
)
def test_each_type_has_its_fate(
    sources: dict[str, LoadedSource], name: str, kind: str, fate: str
) -> None:
    assert {one.type: one.mozdef for one in fates(sources[name])}[kind] == fate


def test_a_source_with_the_plugins_tag_loses_what_it_does_not_keep(
    sources: dict[str, LoadedSource],
) -> None:
    github = sources["github"]
    changed = github.settings.mozdef.model_copy(
        update={
            "plugin": None,
            "tags": ("githubeventsqs",),
            "details": {"event": "$type", "body": "$body"},
        }
    )
    settings = github.settings.model_copy(update={"mozdef": changed})
    told = {
        one.type: one.mozdef
        for one in fates(type(github)(**{**vars(github), "settings": settings}))
    }
    assert told["push"].startswith("its plugin github_webhooks keeps parts")
    assert told["issues"] == "discards it: MozDef's plugin github_webhooks discards it"
    assert sum("discards" in one for one in told.values()) == 13
