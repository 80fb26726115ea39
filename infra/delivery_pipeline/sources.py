"""Where the delivery pipeline takes its code from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import SecretValue, pipelines
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_iam as iam

from settings.delivery_pipeline import BothSource, CodeCommit, GitHub

if TYPE_CHECKING:
    from constructs import Construct

    from settings.delivery_pipeline import DeliverySettings

UNPACKED = "private-config"
"""Where the additional input is unpacked.

CDK Pipelines links an additional input into the primary one's folder, and ends the build where a
folder of that name exists; it has to be copied into its place by a command.
"""


@dataclass(frozen=True)
class Sources:
    """The file sets that a build begins with.

    Parameters
    ----------
    configuration : pipelines.IFileSetProducer | None
        The private configuration, where it has a repository of its own.
    config_folder : str
        Where the settings are, or are to be, in the framework's tree.
    """

    framework: pipelines.IFileSetProducer
    configuration: pipelines.IFileSetProducer | None
    config_folder: str

    @property
    def additional_inputs(self) -> dict[str, pipelines.IFileSetProducer]:
        """The build's further inputs, by the folder that each is unpacked to."""
        return {UNPACKED: self.configuration} if self.configuration else {}

    @property
    def merge(self) -> list[str]:
        """The commands that put the private configuration into its place.

        It takes the whole place of the framework's folder. A stage whose file is missing is then
        an error, and not deployed with the settings that the framework ships as its example.
        """
        if self.configuration is None:
            return []
        return [f"rm -rf {self.config_folder}", f"cp -RL {UNPACKED} {self.config_folder}"]


def find_sources(scope: Construct, delivery: DeliverySettings) -> Sources:
    """Return the sources that the settings name."""
    source = delivery.source
    if isinstance(source, BothSource):
        configuration = _producer(scope, "Configuration", source.configuration)
    else:
        configuration = None
    framework = _producer(scope, "Framework", source.framework)
    return Sources(framework, configuration, delivery.config_folder)


def allow_connections(pipeline: pipelines.CodePipeline, delivery: DeliverySettings) -> None:
    """Let the actions that fetch code use their connections, once the pipeline is built.

    The service's name in an action has to be that of the resource: `codestar-connections` is the
    former one, and the only one that the CDK's source action writes (Developer Tools console,
    "Connections rename - Summary of changes").
    """
    source = delivery.source
    repositories = [source.framework]
    if isinstance(source, BothSource):
        repositories.append(source.configuration)
    roles = [
        one
        for one in pipeline.pipeline.node.find_all()
        if isinstance(one, iam.Role) and one.node.path.split("/")[-3] == "Source"
    ]
    for repository in repositories:
        arn = repository.connection_arn if isinstance(repository, GitHub) else None
        if arn is None:
            continue
        statement = iam.PolicyStatement(
            actions=[f"{arn.split(':')[2]}:UseConnection"], resources=[arn]
        )
        name = repository.repository.replace("/", "_")
        (role,) = [one for one in roles if one.node.path.split("/")[-2] == name]
        role.add_to_principal_policy(statement)


def _producer(
    scope: Construct, construct_id: str, repository: GitHub | CodeCommit
) -> pipelines.CodePipelineSource:
    if isinstance(repository, CodeCommit):
        found = codecommit.Repository.from_repository_name(
            scope, construct_id, repository.repository
        )
        return pipelines.CodePipelineSource.code_commit(found, repository.branch)
    if repository.connection_arn is not None:
        return pipelines.CodePipelineSource.connection(
            repository.repository, repository.branch, connection_arn=repository.connection_arn
        )
    token = SecretValue.secrets_manager(repository.token_secret or "")
    return pipelines.CodePipelineSource.git_hub(
        repository.repository, repository.branch, authentication=token
    )
