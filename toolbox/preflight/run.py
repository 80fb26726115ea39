"""Asks about everything that a configuration folder has deployed, as far as the credentials go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import PipelineError
from settings.delivery_stages import FILE, load_delivery, plan_stages
from settings.deployment import load_deployment
from settings.source.loader import available_sources, read_source_settings
from toolbox.preflight.finding import AskedPlace, Finding, Known
from toolbox.preflight.pipeline_checks import pipeline_findings
from toolbox.preflight.stack_checks import StackPlan, stack_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from settings.delivery_pipeline import DeliverySettings
    from settings.deployment import Deployment

    #: Makes boto3's client of a service in a region.
    Clients = Callable[[str, str], Any]


class PreflightError(PipelineError):
    """Nothing can be asked: no credentials, or no region."""


def preflight(
    config: Path, stages: tuple[str, ...], region: str | None, client: Clients
) -> Iterator[Finding]:
    """Ask AWS about the delivery pipeline and its stages, or about stages by hand.

    Parameters
    ----------
    config : Path
        The configuration folder, which was checked before.
    stages : tuple[str, ...]
        Their names; empty for all of the delivery pipeline. Without a `delivery.yaml` they are
        files of the folder.
    region : str | None
        That of the credentials, for a stage that says none.

    Raises
    ------
    PreflightError
        When it is not known who asks, or where.
    """
    here = _who(client, region)
    if not (config / FILE).is_file():
        if not stages:
            raise PreflightError(f"{config}: has no {FILE}; name the stages with --stage")
        found = [load_deployment(config / f"{stage}.yaml") for stage in stages]
        for deployment in found:
            yield from _of_a_stack(here, deployment, here.account, _beside(here, deployment, found))
        return
    delivery = load_delivery(config / FILE)
    if unknown := set(stages) - {stage.name for stage in delivery.stages}:
        raise PreflightError(f"{config / FILE}: has no stage {', '.join(sorted(unknown))}")
    if not stages:
        yield from _of_the_pipeline(here, delivery)
    plans = plan_stages(delivery, config / FILE)
    in_account = [
        stack.deployment
        for plan in plans
        for stack in plan.stacks
        if delivery.account_of(plan.stage) == here.account
    ]
    for plan in plans:
        owner = delivery.account_of(plan.stage)
        for stack in plan.stacks if not stages or plan.stage.name in stages else ():
            if owner != here.account:
                place = here.place(stack.deployment.stack_name, stack.deployment.region)
                yield _elsewhere(place, owner)
                continue
            beside = _beside(here, stack.deployment, in_account)
            yield from _of_a_stack(here, stack.deployment, delivery.account, beside)


@dataclass(frozen=True)
class Caller:
    """Whose credentials these are.

    Parameters
    ----------
    region : str | None
        That of the credentials.
    """

    account: str
    partition: str
    region: str | None
    client: Clients

    def place(self, name: str, region: str | None) -> AskedPlace:
        """Return a place of this account."""
        there = region or self.region
        if there is None:
            raise PreflightError(f"{name}: in which region? set region, or AWS_REGION")
        return AskedPlace(
            name, self.account, there, self.partition, partial(self._in_region, there)
        )

    def _in_region(self, region: str, service: str) -> Any:
        return self.client(service, region)


def _of_the_pipeline(here: Caller, delivery: DeliverySettings) -> Iterator[Finding]:
    place = here.place(delivery.stack_name, delivery.region)
    if delivery.account == here.account:
        yield from pipeline_findings(delivery, place, here.client)
    else:
        yield _elsewhere(place, delivery.account)


def _beside(here: Caller, deployment: Deployment, others: Sequence[Deployment]) -> list[Deployment]:
    """Return the others of one region, with which a stack shares the account's quotas."""
    region = deployment.region or here.region
    return [
        one for one in others if one is not deployment and (one.region or here.region) == region
    ]


def _of_a_stack(
    here: Caller, deployment: Deployment, pipeline_account: str, beside: Sequence[Deployment]
) -> Iterator[Finding]:
    place = here.place(deployment.stack_name, deployment.region)
    found = available_sources(deployment.source_directory)
    sources = {name: read_source_settings(found[name]) for name in deployment.sources}
    yield from stack_findings(StackPlan(place, deployment, sources, pipeline_account, beside))


def _who(client: Clients, region: str | None) -> Caller:
    try:
        arn = str(client("sts", region or "us-east-1").get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError) as error:
        raise PreflightError(f"AWS does not know these credentials: {error}") from None
    _, partition, _, _, account, *_ = arn.split(":")
    return Caller(account, partition, region, client)


def _elsewhere(place: AskedPlace, owner: str) -> Finding:
    return Finding(
        f"{place.name} ({owner}, {place.region})",
        "everything",
        Known.UNKNOWN,
        f"these credentials are of the account {place.account}",
        f"run it again with credentials of {owner}",
    )
