"""What an analyst types finds each sample, as MozDef's worker and plugins write it to the index."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.fields import path_of
from pipeline.event.judgement import ValueRules
from pipeline.event.summary import SummaryTemplate, placeholders
from settings.source.detail_fields import DOCUMENTED
from settings.source.loader import available_sources
from tests.support.catalogue import built_in, built_in_samples
from toolbox.mozdef.alerts import alerts, holds
from toolbox.sources.mozdef_table import (
    README,
    SearchableSample,
    searchable_samples,
    table_of,
    with_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

NAMES = sorted(available_sources())
#: Their `details` are the sender's body, or the plugin's own.
BODY_AT_TOP = {"generic", "zoom"}


@pytest.fixture(scope="module")
def index(sources: dict[str, LoadedSource], catalog: Catalog) -> list[SearchableSample]:
    return searchable_samples(sources, catalog)


def found(index: list[SearchableSample], **query: Any) -> set[str]:
    """What a query finds; of a name's dots only the first is written, as two underscores."""
    wanted = {name.replace("__", "."): value for name, value in query.items()}
    return {
        f"{one.source}/{one.sample}"
        for one in index
        if all(holds(one.document, name, value) for name, value in wanted.items())
    }


def test_mozdef_keeps_every_delivered_sample(index: list[SearchableSample]) -> None:
    expected: Counter[str] = Counter()
    for name in NAMES:
        for sample in built_in_samples(name):
            if sample.settings.expect.outcome == "delivered":
                expected[f"{name}/{sample.name}"] += sample.settings.expect.events
    assert Counter(f"{one.source}/{one.sample}" for one in index) == expected


@pytest.mark.parametrize(
    ("query", "samples"),
    [
        # whose second factor was refused or called fraud, wherever
        (
            {"category": "authentication", "details__success": False, "severity": "CRITICAL"},
            {"auth0/leaked-password", "duo-admin/authentication-fraud"},
        ),
        (
            {"details__sourceipaddress": "198.51.100.7"},
            {"duo-admin/authentication-denied"},
        ),
        (
            {"details__username": "bob-example", "category": "account creation"},
            {"gitlab/system-hook-user-created", "slack/signed-by-the-library",
                "slack/team-join"},
        ),
        (
            {"details__username": "bob-example", "category": "account disable"},
            {"slack/user-deactivated"},
        ),
        (
            {"category": "account creation", "details__username": "someone@example.com"},
            {"onepassword/audit-user-join"},
        ),
        (
            {"category": "account deletion"},
            {
                "clerk/signed-by-the-library",
                "duo-admin/activity-action-as-text-delete",
                "duo-admin/activity-user-delete",
                "gitlab/system-hook-user-deleted",
                "onepassword/audit-user-delete",
                *(f"standard-webhooks/{s}" for s in ("dots-in-the-id", "missing-id")),
                "standard-webhooks/upper-case-names",
                "workos/user-deleted",
            },
        ),
        # refused sign-ins of one person, by all identity providers that have him
        (
            {
                "category": "authentication",
                "details__success": False,
                "details__username": "alice@example.com",
            },
            {
                "auth0/four-events",
                "auth0/leaked-password",
                "okta/sign-in-denied",
                "okta/sign-in-locked-out",
                "okta/sign-in-refused",
                "workos/password-failed",
            },
        ),
        (
            {"category": "authentication", "severity": ["ERROR", "CRITICAL"]},
            {
                "auth0/leaked-password",
                "castle/incident-of-same-device",
                "castle/signed-incident",
                "duo-admin/authentication-fraud",
                "okta/sign-in-suspected",
                "okta-system-log/sign-in-suspected",
                "okta-system-log/suspicious-activity",
            },
        ),
        (
            {"details__sourceipaddress": "198.51.100.23"},
            {
                "generic-hmac/login-refused",
                "standard-webhooks/login-failed",
                "stripe/account-terms-accepted",
                "stripe/review-opened",
            },
        ),
        # an address that the plugin moved, since the index's field takes version 4 alone
        ({"details__sourceipv6address": "2001:db8::1"}, {"auth0/hostile-unicode"}),
        # a sender that writes MozDef's own names
        ({"details__sourceipaddress": "198.51.100.24"}, {"generic/own-names"}),
        # GitHub's alerts, which the plugin would discard
        (
            {"tags": "github", "category": "vulnerability", "severity": ["ERROR", "CRITICAL"]},
            {
                "github/code-scanning-alert-critical",
                "github/dependabot-alert-critical",
                "github/secret-scanning-alert",
            },
        ),
        (
            {"tags": "github", "category": "vulnerability", "severity": "NOTICE"},
            {"github/dependabot-alert-fixed", "github/secret-scanning-alert-resolved"},
        ),
        (
            {"details__github__alert__secret_type": "example_api_token", "severity": "CRITICAL"},
            {"github/secret-scanning-alert"},
        ),
        ({"details__useragent": "git/2.47"}, {"github-audit-log/git-clone"}),
        ({"summary": {"phrase": "now public"}}, {"github-audit-log/repository-made-public"}),
        # what became of a sign-in at 1Password, and who got at an item
        (
            {"tags": "onepassword", "details__error": True},
            {
                "onepassword/sign-in-failed",
                "onepassword/sign-in-second-factor",
                "onepassword/sign-in-wrong-password",
            },
        ),
        ({"tags": "onepassword", "category": "authorization", "severity": "INFO"},
         {"onepassword/item-usage"}),
        ({"details__username": "alice@example.com", "details__event": "user.updated"},
         {"zoom/user-updated-password"}),
    ],
)  # fmt: skip
def test_a_query_finds_what_it_names_and_nothing_else(
    index: list[SearchableSample], query: dict[str, Any], samples: set[str]
) -> None:
    assert found(index, **query) == samples


@pytest.mark.parametrize(
    ("alert", "samples"),
    [
        ("auth0_bruteforce_user", {"auth0/four-events"}),
        ("auth0_vertical_password_guessing", {"auth0/four-events"}),
        ("duo_authfail", {"duo-admin/authentication-fraud"}),
        ("ssh_access", set()),
    ],
)
def test_mozdefs_alert_matches(
    index: list[SearchableSample], alert: str, samples: set[str]
) -> None:
    (wanted,) = (one for one in alerts() if one.name == alert)
    assert {f"{o.source}/{o.sample}" for o in index if wanted.matches(o.document)} == samples


def test_each_sample_is_found_by_what_it_says_of_itself(index: list[SearchableSample]) -> None:
    for one in index:
        document = one.document
        words = " ".join(re.findall(r"\w+", document["summary"])[:6])
        query = {"summary": {"phrase": words}, "category": document["category"]}
        if "username" in document["details"]:
            query["details__username"] = document["details"]["username"]
        assert f"{one.source}/{one.sample}" in found(index, **query), document["summary"]


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_of(one)
    elif isinstance(value, str):
        yield value


def addresses_of(value: Any) -> set[str]:
    addresses = set()
    for text in texts_of(value):
        try:
            addresses.add(str(ip_address(text)))
        except ValueError:
            continue
    return addresses


def test_each_address_of_a_body_is_searched_for_as_an_address(
    index: list[SearchableSample],
) -> None:
    """The other side: the bodies, and no setting."""
    seen = 0
    for one in index:
        wanted = addresses_of(one.body)
        if one.source in BODY_AT_TOP or not wanted:
            continue
        seen += 1
        fields = ("sourceipaddress", "sourceipv6address")
        filled = {one.document["details"].get(name) for name in fields}
        assert filled & wanted, f"{one.source}/{one.sample}"
    assert seen > 50


def test_a_field_is_of_its_kind_in_every_document(index: list[SearchableSample]) -> None:
    for one in index:
        details = one.document["details"]
        for name in ("sourceipaddress", "destinationipaddress"):
            ip_address(details.get(name, "0.0.0.0"))
        assert all(isinstance(details.get(name, True), bool) for name in ("success", "error"))
        assert not {"success", "error"} <= details.keys() or details["success"] != details["error"]
        for name in ("username", "useragent", "sourceuri", "destinationuri"):
            text = details.get(name, "x")
            assert 0 < len(text) <= 1_024
            assert text.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_each_field_and_each_rule_by_value_is_shown_by_a_sample(
    index: list[SearchableSample], name: str
) -> None:
    mapping = built_in(name).settings.mozdef
    mine = [one for one in index if one.source == name]
    filled = {field for one in mine for field in one.document["details"]}
    assert set(mapping.fields) <= filled
    rules = mapping.value_rules
    for number in range(len(rules)):
        decides = [
            one
            for one in mine
            if ValueRules(rules[: number + 1]).judge(one.event_type, one.body)
            != ValueRules(rules[:number]).judge(one.event_type, one.body)
        ]
        assert decides, mapping.by_value[number]


#: What leads to a value in a summary, and is nothing without one.
LEADING = "account|at|by|for|from|in|livemode|now|of|on|team|through|to|urgency|user|with"
VALUE = r"V\d+"


@pytest.mark.parametrize("name", NAMES)
def test_no_summary_has_a_word_that_leads_to_nothing(name: str) -> None:
    """Whatever an event lacks: every choice of three values, and of all but three."""
    mapping = built_in(name).settings.mozdef
    template = SummaryTemplate(mapping.summary)
    nothing = rf"\b({LEADING})( *$| (?!{VALUE}|account {VALUE}))"
    groups = list(dict.fromkeys(placeholders(mapping.summary)))
    for size in (0, 1, 2, 3):
        for some in itertools.combinations(range(len(groups)), size):
            for there in (set(some), set(range(len(groups))) - set(some)):
                line = rendered(template, name, groups, there)
                assert not re.search(nothing, line), line
                assert line[-1].isalnum() or line.endswith(")"), line
                assert not re.search(r" [:,;)]|\(\)|  |[:,;][:,;]", line), line


def rendered(
    template: SummaryTemplate, name: str, groups: list[tuple[str, ...]], there: set[int]
) -> str:
    body: dict[str, Any] = {}
    fields: dict[str, str] = {}
    for number in there:
        last = groups[number][-1] if groups[number][-1] != "$keys" else groups[number][0]
        if last in {"source", "type"}:
            continue
        if last.startswith("$"):
            fields[last[1:]] = f"V{number}"
            continue
        node: Any = body
        *above, key = path_of(last)
        for part in above:
            node = node.setdefault(part, {}) if isinstance(node, dict) else {}
        if isinstance(node, dict):
            node.setdefault(key, f"V{number}")
    kind = "V99" if any("type" in groups[number] for number in there) else ""
    return template.render(name, kind, body, fields)


def test_the_table_of_the_catalogue_is_what_the_samples_fill(
    index: list[SearchableSample],
) -> None:
    page = README.read_text(encoding="utf-8")
    assert with_table(page, table_of(index)) == page, "run make catalog-table"
    for name in NAMES:
        assert f"| `{name}` |" in page


def test_the_alerts_are_those_of_mozdef() -> None:
    assert len(alerts()) == 42
    reads = Counter(field for one in alerts() for field in one.fields)
    assert reads["details.sourceipaddress"] >= 10
    wanted = {field.removeprefix("details.") for field in reads}
    assert {"sourceipaddress", "username"} <= wanted & DOCUMENTED


@pytest.mark.parametrize(
    ("path", "wanted", "holding"),
    [
        ("a.b", "x", True),
        ("a.b", ["y", "x"], True),
        ("a.b", "X", False),
        ("a.n", "7", True),
        ("a.flag", True, True),
        ("a.list.c", "2", True),
        ("a.d.e", "dotted", True),
        ("a.missing", {"exists": True}, False),
        ("a.none", {"exists": True}, False),
        ("a.list.c", {"exists": True}, True),
        ("summary", {"phrase": "wrong PASSWORD"}, True),
        ("summary", {"phrase": "password wrong"}, False),
        ("summary", "alice", True),
        ("a.words", "one", False),
        ("a.words", {"phrase": "one two"}, True),
        ("a.words", {"like": "*two"}, True),
    ],
)
def test_a_query_is_judged_as_the_index_judges_it(path: str, wanted: Any, holding: bool) -> None:
    document = {
        "summary": "Wrong password: alice",
        "a": {
            "b": "x",
            "n": 7,
            "flag": True,
            "none": None,
            "list": [{"c": 1}, {"c": 2}],
            "d.e": "dotted",
            "words": "one two",
        },
    }
    assert holds(document, path, wanted) is holding
