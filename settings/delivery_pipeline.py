"""The settings of the delivery pipeline, `config/delivery.yaml` (build and command line only)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from settings.faults import refuse
from settings.source.base import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCTION = "production"

BUILD_IMAGE = "aws/codebuild/standard:7.0-26.07.29"
ARM_BUILD_IMAGE = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
"""The image of all builds. With its date: the tag without one is moved to each new image of AWS's,
and no dated one of this year is known for ARM.

`aws codebuild list-curated-environment-images` lists those that there are, and `config check --aws`
looks there. AWS keeps the newest on its machines, so one that is older takes longer to start (AWS
CodeBuild User Guide, Docker images provided by CodeBuild).
"""

_NAME = r"^[A-Za-z][A-Za-z0-9-]{0,19}$"
_FRAMEWORK = frozenset(
    {
        "build",
        "docs",
        "infra",
        "ingest_lambdas",
        "loadtests",
        "node_modules",
        "pipeline",
        "stream_processors",
        "tests",
    }
)
Account = Annotated[str, Field(pattern=r"^\d{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Branch = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$")]
GitHubRepository = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$")]
CodeCommitRepository = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
ConnectionArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-z-]*:(codeconnections|codestar-connections):"
        r"[a-z0-9-]+:\d{12}:connection/[0-9a-f-]{36}$"
    ),
]
SecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@:-]{1,512}$")]
Milliseconds = Annotated[int, Field(ge=1, le=60_000)]


class GitHub(Model):
    """A repository on GitHub, by a connection or, as the old framework did, by a token."""

    provider: Literal["github"] = "github"
    repository: GitHubRepository
    branch: Branch = "main"
    connection_arn: ConnectionArn | None = None
    token_secret: SecretId | None = Field(
        default=None, description="the name or ARN of a secret that holds a personal access token"
    )

    @model_validator(mode="after")
    def _one_credential(self) -> GitHub:
        if (self.connection_arn is None) == (self.token_secret is None):
            raise ValueError("give either 'connection_arn' or 'token_secret'")
        return self


class CodeCommit(Model):
    """A repository of CodeCommit, in the pipeline's own account and region."""

    provider: Literal["codecommit"] = "codecommit"
    repository: CodeCommitRepository
    branch: Branch = "main"


Repository = Annotated[GitHub | CodeCommit, Field(discriminator="provider")]


class GitHubSource(GitHub):
    """Framework and configuration in one repository on GitHub."""

    mode: Literal["github"]

    @property
    def framework(self) -> GitHub:
        """The repository that is built."""
        return self


class CodeCommitSource(CodeCommit):
    """Framework and configuration in one repository of CodeCommit."""

    mode: Literal["codecommit"]

    @property
    def framework(self) -> CodeCommit:
        """The repository that is built."""
        return self


class BothSource(Model):
    """The framework from one repository, the private configuration from another."""

    mode: Literal["both"]
    framework: Repository
    configuration: Repository

    @model_validator(mode="after")
    def _two(self) -> BothSource:
        one, other = self.framework, self.configuration
        if (one.provider, one.repository) == (other.provider, other.repository):
            raise ValueError("framework and configuration are one repository; use its own mode")
        return self


class LoadTest(Model):
    """What is sent after the smoke test, and what makes the promotion stop."""

    requests_per_second: int = Field(default=50, ge=1, le=5_000)
    users: int = Field(default=50, ge=1, le=10_000)
    seconds: int = Field(default=120, ge=10, le=3_600)
    shape: Literal["constant", "ramp", "spike"] = "ramp"
    duplicates: float = Field(default=0.05, ge=0, le=1)
    bad_requests: float = Field(default=0.02, ge=0, le=1)
    max_error_rate: float = Field(default=0.001, ge=0, le=1)
    p95_ms: Milliseconds = 500
    p99_ms: Milliseconds = 1_500

    @model_validator(mode="after")
    def _shares(self) -> LoadTest:
        if self.duplicates + self.bad_requests > 1:
            raise ValueError("'duplicates' and 'bad_requests' are shares; together 1 at the most")
        return self


class DeliveryStage(Model):
    """One stage: where it is deployed, and what stands before and after it."""

    name: str = Field(pattern=_NAME)
    account: Account | None = None
    region: Region | None = None
    settings: tuple[str, ...] = Field(
        default=(), description="the files of its stacks; default: <name>.yaml"
    )
    approval: bool = False
    smoke_test: bool = False
    load_test: LoadTest | None = None

    @field_validator("settings")
    @classmethod
    def _inside(cls, settings: tuple[str, ...]) -> tuple[str, ...]:
        for name in settings:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or path.suffix != ".yaml":
                raise ValueError(f"{name!r} is no .yaml file within the configuration folder")
        if len(set(settings)) < len(settings):
            raise ValueError("a file is listed twice")
        return settings

    @model_validator(mode="after")
    def _guarded(self) -> DeliveryStage:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if self.name == PRODUCTION and not self.approval:
            yield "approval", "the stage 'production' is deployed after an approval; approval: true"
        for number, name in enumerate(self.settings):
            if PurePosixPath(name).stem != self.name:
                own = PurePosixPath(name).with_name(self.name + ".yaml")
                yield (
                    f"settings.{number}",
                    f"{name}: a stage's file is named after it; expected {own}",
                )

    @property
    def files(self) -> tuple[str, ...]:
        """The settings of its stacks, relative to the configuration folder."""
        return self.settings or (f"{self.name}.yaml",)


class DeliverySettings(Model):
    """The delivery pipeline."""

    project: str = Field(default="MozDef-EF", pattern=_NAME)
    account: Account
    region: Region
    source: Annotated[GitHubSource | CodeCommitSource | BothSource, Field(discriminator="mode")]
    config_folder: str = Field(default="config", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")
    builds_on: Literal["x86_64", "arm64"] = Field(
        default="x86_64",
        description="the builds' machines; those with ARM are cheaper, and no build was seen there",
    )
    stages: tuple[DeliveryStage, ...]

    @field_validator("config_folder")
    @classmethod
    def _not_the_framework(cls, name: str) -> str:
        if name in _FRAMEWORK:
            raise ValueError(f"{name!r} is a folder of the framework; choose another name")
        return name

    @field_validator("stages")
    @classmethod
    def _stages_once(cls, stages: tuple[DeliveryStage, ...]) -> tuple[DeliveryStage, ...]:
        if not stages:
            raise ValueError("list one stage or more")
        names = [stage.name for stage in stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: listed twice")
        return stages

    @property
    def stack_name(self) -> str:
        """The name of the pipeline's own stack, and of the pipeline."""
        return f"{self.project}-delivery"

    @property
    def build_image(self) -> str:
        """The image of all builds."""
        return ARM_BUILD_IMAGE if self.builds_on == "arm64" else BUILD_IMAGE

    def account_of(self, stage: DeliveryStage) -> str:
        """Return the account that a stage is deployed to."""
        return stage.account or self.account

    @property
    def crosses_accounts(self) -> bool:
        """Whether a stage is in another account than the pipeline."""
        return any(self.account_of(stage) != self.account for stage in self.stages)
