"""What the account of the delivery pipeline has to have for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from settings.delivery_pipeline import BothSource, CodeCommit
from toolbox.preflight.finding import ask, code_of
from toolbox.preflight.stack_checks import bootstrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from settings.delivery_pipeline import DeliverySettings, GitHub
    from toolbox.preflight.finding import AskedPlace, Finding

BUILDS = {"Small": 1, "Medium": 1}
"""How many builds run at once, by the size of their machine: one stands before the next."""


def pipeline_findings(
    delivery: DeliverySettings, place: AskedPlace, client: Callable[[str, str], object]
) -> Iterator[Finding]:
    """Ask about everything that the pipeline needs.

    Parameters
    ----------
    client : Callable[[str, str], object]
        Makes the client of a service in a region: a stage's, too, has to be bootstrapped.
    """
    checks: dict[str, Callable[[str], Iterator[Finding]]] = {
        "builds at once": partial(_builds, place, delivery),
        "image of the builds": partial(_image, place, delivery.build_image),
    }
    for number, repository in enumerate(_repositories(delivery), 1):
        checks[f"repository {number}, {repository.repository}"] = partial(
            _repository, place, repository
        )
    regions = {stage.region for stage in delivery.stages if stage.region} | {delivery.region}
    for region in sorted(regions):
        there = replace(place, region=region, client=partial(_in, client, region))
        yield from ask(there, "cdk bootstrap", partial(bootstrap, there, "cdk bootstrap"))
    for what, check in checks.items():
        yield from ask(place, what, partial(check, what))


def _in(client: Callable[[str, str], object], region: str, service: str) -> object:
    return client(service, region)


def _repositories(delivery: DeliverySettings) -> list[GitHub | CodeCommit]:
    source = delivery.source
    if isinstance(source, BothSource):
        return [source.framework, source.configuration]
    return [source]


def _builds(place: AskedPlace, delivery: DeliverySettings, what: str) -> Iterator[Finding]:
    """Compare the quota of running builds, which begins at 0 or 1 in some new accounts."""
    quotas, machines = _quotas(place), "ARM" if delivery.builds_on == "arm64" else "Linux"
    for size, wanted in BUILDS.items():
        name = f"Concurrently running builds for {machines}/{size}"
        found = [value for key, value in quotas.items() if key.startswith(name)]
        if not found:
            yield place.unknown(what, f"Service Quotas has no '{name}'", "look in the console")
        elif found[0] < wanted:
            do = f"ask Service Quotas for {wanted} or more of '{name} environment'"
            yield place.fault(what, f"{found[0]:.0f} on {machines}/{size}: no build starts", do)
        else:
            yield place.good(what, f"{found[0]:.0f} on {machines}/{size}")


def _quotas(place: AskedPlace) -> Mapping[str, float]:
    pages = place.client("service-quotas").get_paginator("list_service_quotas")
    return {
        str(one["QuotaName"]): float(one["Value"])
        for page in pages.paginate(ServiceCode="codebuild")
        for one in page["Quotas"]
    }


def _image(place: AskedPlace, wanted: str, what: str) -> Iterator[Finding]:
    answer = place.client("codebuild").list_curated_environment_images()
    versions = {
        version
        for platform in answer["platforms"]
        for language in platform["languages"]
        for image in language["images"]
        for version in image.get("versions", [])
    }
    names = {
        str(image["name"])
        for platform in answer["platforms"]
        for language in platform["languages"]
        for image in language["images"]
    }
    if wanted in names | versions:
        yield place.good(what, wanted)
        return
    family = wanted.rpartition("/")[2].partition("-")[0]
    others = sorted(one for one in names | versions if family in one)
    do = f"the images of settings/delivery_pipeline.py; there are {', '.join(others) or 'none'}"
    yield place.fault(what, f"CodeBuild does not list {wanted}", do)


def _repository(place: AskedPlace, repository: GitHub | CodeCommit, what: str) -> Iterator[Finding]:
    if isinstance(repository, CodeCommit):
        yield from _codecommit(place, repository, what)
    elif repository.connection_arn:
        yield from _connection(place, repository.connection_arn, what)
    else:
        yield from _token(place, str(repository.token_secret), what)


def _codecommit(place: AskedPlace, repository: CodeCommit, what: str) -> Iterator[Finding]:
    names = {"repositoryName": repository.repository, "branchName": repository.branch}
    try:
        place.client("codecommit").get_branch(**names)
    except ClientError as error:
        if code_of(error) not in {
            "RepositoryDoesNotExistException",
            "BranchDoesNotExistException",
        }:
            raise
        yield place.fault(what, str(error.response["Error"]["Message"]), "create it, and push")
        return
    yield place.good(what, f"branch {repository.branch} is there")


def _connection(place: AskedPlace, arn: str, what: str) -> Iterator[Finding]:
    service, region = arn.split(":")[2:4]
    if region != place.region:
        do = f"make a connection in {place.region}"
        yield place.fault(what, f"the connection is in {region}", do)
        return
    try:
        found = place.client(service).get_connection(ConnectionArn=arn)["Connection"]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        yield place.fault(
            what, f"there is no connection {arn}", "docs/deploying.md, Connect GitHub"
        )
        return
    if (status := found["ConnectionStatus"]) == "AVAILABLE":
        yield place.good(what, f"the connection {found.get('ConnectionName', '')} is AVAILABLE")
    else:
        do = "in the console, Developer Tools, Connections: 'Update pending connection'"
        yield place.fault(what, f"the connection is {status}", do)


def _token(place: AskedPlace, secret: str, what: str) -> Iterator[Finding]:
    try:
        found = place.client("secretsmanager").describe_secret(SecretId=secret)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        do = f"aws secretsmanager create-secret --name {secret} --secret-string file://token.txt"
        yield place.fault(what, f"there is no secret {secret}", do)
        return
    if found.get("DeletedDate"):
        yield place.fault(what, f"the secret {secret} is being deleted", "restore it")
    else:
        yield place.good(what, f"the secret {secret} is there")
