"""Names that a template sets: no two stacks have one in common, however their parts are cut."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.assembly.quotas import LIMITS, NAMES, set_name, uses
from infra.delivery_pipeline.checks import step_role_name, target_role_name
from settings.delivery_pipeline import DeliverySettings
from settings.deployment import Deployment
from tests.infra.delivery_support import SAME_ACCOUNT
from tests.infra.delivery_support import settings as delivery_settings
from tests.infra.policies import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.infra.conftest import Synthesized

#: In the settings of `everything`, and so in its names.
STACK, SOURCE = "MozDef-EF-all-prod", "github"
LONGEST = f"{'P' * 20}-{'s' * 20}-{'t' * 20}"
#: AWS makes these of the stack's or of the resource's id; nobody else can have them.
OF_AN_ID = re.compile("<(?!AWS::)")


@pytest.fixture(scope="module")
def forms(everything: Synthesized) -> dict[str, set[str]]:
    """The names of each kind, with what stands for the stack's and for a source's."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for resource in everything.document["Resources"].values():
        name = set_name(resource["Type"], resource.get("Properties", {}))
        text = written(name) if name else "<id>"
        if OF_AN_ID.search(text) or resource["Type"] == "AWS::XRay::SamplingRule":
            continue
        form = text.replace(STACK, "{stack}").replace(STACK.lower().replace("-", "_"), "{glue}")
        assert form != text, f"{resource['Type']}: {text}"
        found[resource["Type"]].add(form.replace(SOURCE, "{source}"))
    for kind in ("AWS::SQS::Queue", "AWS::CloudWatch::Alarm"):
        assert any("{source}" in form for form in found[kind])
    return dict(found)


def test_every_kind_of_name_is_known(everything: Synthesized) -> None:
    """What is called a name in a template, and is not CloudFormation's to make, is in the list."""
    properties = {
        (resource["Type"], key)
        for resource in everything.document["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key in {"Name", key} and key.endswith("Name") and isinstance(value, str)
    }
    known = {(kind, key) for kind, (key, _, _) in NAMES.items()}
    # An authorizer, a route's stage and the like are named within what they belong to.
    within = {kind for kind, _ in properties if kind.startswith("AWS::ApiGateway::")}
    assert {one for one in properties if one[0] not in within} <= known


def names_of(
    forms: dict[str, set[str]], deployment: Deployment, source: str
) -> Iterator[tuple[str, str]]:
    """Give the names of a stack: in IAM and Glue without regard to case, which they do not know."""
    stack = deployment.stack_name
    glue = stack.lower().replace("-", "_")
    yield "AWS::CloudFormation::Stack", stack
    for kind, named in forms.items():
        for form in named:
            yield kind, form.format(stack=stack, glue=glue, source=source)
    for check in ("smoke", "load"):
        yield "AWS::IAM::Role", target_role_name(deployment, check).lower()
    for one in ("auth_token", "signing_secret", "api_credential"):
        yield "AWS::SSM::Parameter", deployment.parameter(source, one)


#: Services, stages and sources, as they may be spelled and as they must not be.
PART = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map("-".join)


def cuts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Cut words with hyphens between them into project, service, stage and source, in all ways."""
    for places in itertools.combinations(range(1, len(words)), 3):
        ends = itertools.pairwise((0, *places, len(words)))
        yield tuple("-".join(words[start:end]) for start, end in ends)


def test_however_a_name_is_cut_into_parts_it_is_of_one_stack(forms: dict[str, set[str]]) -> None:
    owners: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for length in (4, 5):
        for words in itertools.product(["a", "b", "EF", "ef"], repeat=length):
            for project, service, stage, source in cuts(words):
                try:
                    deployment = Deployment(
                        project=project, service=service, stage=stage, sources=(source.lower(),)
                    )
                except ValidationError:
                    continue
                # Projects that differ by nothing but case are one to whoever reads their names;
                # services of a stage share a source's secret: a sender has one for one place.
                for name in names_of(forms, deployment, source.lower()):
                    shared = service if name[0] != "AWS::SSM::Parameter" else ""
                    owners[name].add((project.lower(), shared, stage))
    assert len(owners) > 1_000
    assert {kind for kind, _ in owners} > {"AWS::SQS::Queue", "AWS::IAM::Role"}
    assert not {name: found for name, found in owners.items() if len(found) > 1}


@settings(max_examples=60)
@given(parts=st.lists(st.tuples(PART, PART, PART), min_size=2, max_size=20))
def test_names_of_random_stacks_and_sources_are_their_own(
    forms: dict[str, set[str]], parts: list[tuple[str, str, str]]
) -> None:
    owners: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for service, stage, source in parts:
        try:
            deployment = Deployment(service=service, stage=stage, sources=(source,))
        except ValidationError:
            continue
        for name in names_of(forms, deployment, source):
            owners[name].add((service if name[0] != "AWS::SSM::Parameter" else "", stage))
    assert all(len(found) == 1 for found in owners.values())


@pytest.mark.parametrize(
    "two",
    [
        (("M", "a-b", "c"), ("M", "a", "b-c")),
        (("M", "a", "b"), ("M-a", "b", "c")),
        (("M-Ef", "a", "b"), ("M", "ef", "a")),
    ],
)
def test_of_two_cuts_of_one_name_one_at_most_is_taken(two: Any) -> None:
    taken = []
    for project, service, stage in two:
        try:
            one = Deployment(project=project, service=service, stage=stage, sources=("x",))
            taken.append(one.stack_name)
        except ValidationError:
            continue
    assert len(taken) == len(set(taken))
    assert not any(f"{one}-".startswith(f"{two}-") for one in taken for two in taken if one != two)


def test_the_pipelines_roles_are_not_those_of_a_stack() -> None:
    delivery = DeliverySettings.model_validate(delivery_settings("codecommit", SAME_ACCOUNT))
    own = {step_role_name(delivery, stage, "smoke") for stage in delivery.stages}
    assert f"{delivery.stack_name}-staging-smoke" in own
    with pytest.raises(ValidationError, match="delivery pipeline's"):
        Deployment(service="delivery", stage="staging", sources=("github",))


@pytest.fixture(scope="module")
def longest(synthesized: Callable[[Deployment], Synthesized]) -> Synthesized:
    """A stack whose parts have the longest names that there may be."""
    settings = {
        "project": "P" * 20,
        "service": "s" * 20,
        "stage": "t" * 20,
        "sources": ("slack", "duo-admin"),
        "queues": {"slack": {"full_name": "q" * 72}, "duo-admin": {"full_name": "r" * 72}},
        "pollers": {"duo-admin": {"variables": {"host": "api-0.duosecurity.com"}}},
        "web_acl": True,
    }
    return synthesized(Deployment.model_validate(settings))


def test_names_of_the_longest_parts_are_not_too_long(longest: Synthesized) -> None:
    found = [use for use in uses(longest.document, LONGEST) if "name" in use.limit]
    assert len({use.limit for use in found}) > 10
    assert all(use.used <= LIMITS[use.limit] for use in found)


def test_the_alarms_of_a_queue_look_at_the_name_that_the_stage_gives_it(
    longest: Synthesized,
) -> None:
    looked_at = {
        dimension["Value"]
        for alarm in longest.all("AWS::CloudWatch::Alarm").values()
        for metric in alarm.get("Metrics", [])
        for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        if dimension["Name"] == "QueueName" and isinstance(dimension["Value"], str)
    }
    queues = {one.get("QueueName") for one in longest.all("AWS::SQS::Queue").values()}
    assert looked_at == queues - {None}
    assert "q" * 72 in looked_at
