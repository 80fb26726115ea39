"""The application stack: the way of an event, from the front door to MozDef's queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Environment, Stack, Tags
from aws_cdk.aws_s3_assets import Asset

from infra.application.archive import Archive
from infra.application.archive_access import guard_archive
from infra.application.archive_tables import ArchiveTables
from infra.application.archiver import ArchiverFunction
from infra.application.authorizer import AuthorizerFunction
from infra.application.checks import acknowledge_warnings
from infra.application.encryption import StackKey
from infra.application.event_stream import EventStream
from infra.application.fan_out import FanOutFunction
from infra.application.front_door import FrontDoor
from infra.application.functions import common_environment, functions_of
from infra.application.http_door import HttpDoor
from infra.application.packages import FunctionPackages
from infra.application.parameters import SourceParameters
from infra.application.poller import PollerFunction
from infra.application.queues import EventQueues
from infra.application.receiver import ReceiverFunction
from infra.application.reconciler import ReconcilerFunction
from infra.application.replay import Replay
from infra.application.routes import has_route, route_of
from infra.application.state_table import StateTable
from infra.watching.construct import Watching
from infra.watching.watched import Watched
from settings.names import REDRIVE
from settings.poll_targets import poll_targets
from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from infra.application.packages import FunctionAssets
    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource


class ApplicationStack(Stack):
    """Everything that one service runs in one stage.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        The sources that it takes events from, by name.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        deployment: Deployment,
        sources: Mapping[str, LoadedSource],
        assets: FunctionAssets,
    ) -> None:
        super().__init__(
            scope,
            deployment.stack_name,
            stack_name=deployment.stack_name,
            env=Environment(region=deployment.region),
            description=f"{deployment.project}: webhooks to MozDef, {deployment.stage}",
        )
        Tags.of(self).add("Project", deployment.project_tag)
        acknowledge_warnings(
            self,
            {
                "Annotation::@aws-cdk/core:Stack.templateSize": "It warns from four fifths on; "
                "infra.assembly.quotas ends the synthesis at what CloudFormation takes."
            },
        )
        self._deployment = deployment
        self._sources = sources
        self._key = self._own_key()
        self._parameters = SourceParameters(self, deployment, sources)
        self._packages = FunctionPackages(
            self, assets=assets, key=self._key, retention_days=deployment.log_retention_days
        )
        self._bills = Asset(self, "Bills", path=str(assets.bills))
        self._environment = common_environment(
            project=deployment.project, service=deployment.service, stage=deployment.stage
        )
        self._stream = EventStream(self, "Events", settings=deployment.stream, key=self._key).stream
        self._archive = Archive(self, "Archive", settings=deployment.archive, key=self._key)
        self._tables = ArchiveTables(
            self, "Queries", deployment=deployment, bucket=self._archive.bucket, key=self._key
        )
        self._table = StateTable(
            self, "Delivered", capacity=deployment.table, expires="expires", key=self._key
        ).table
        queues = EventQueues(
            self,
            "Delivery",  # its logical ids are those of queues that hold events
            prefix=deployment.stack_name,
            names=(queue for source in sources.values() for queue in source.queues),
            own=deployment.queues,
            key=self._key,
        )
        self._queues, self._queue_names = queues.queues, queues.full_names
        self._fan_out = self._process_events()
        self._archiver = self._keep_events()
        self._compare_accounts()
        self._replay = self._replay_events()
        self._poller = self._fetch_events()
        guard_archive(
            self._archive.bucket,
            fan_out=self._fan_out.function,
            archiver=self._archiver.function,
            poller=self._poller.function if self._poller else None,
        )
        front_door = self._take_events()
        Watching(self, "Watching", watched=self._watched(front_door))
        self._outputs(front_door)

    def _process_events(self) -> FanOutFunction:
        return FanOutFunction(
            self,
            "FanOut",
            package=self._packages.proving(
                one for one in self._sources.values() if one.settings.signing
            ),
            deployment=self._deployment,
            environment=self._environment,
            stream=self._stream,
            queues=self._queues,
            table=self._table,
            bucket=self._archive.bucket,
            parameter_arns=self._parameters.arns("signing_secret"),
        )

    def _keep_events(self) -> ArchiverFunction:
        return ArchiverFunction(
            self,
            "Archiver",
            package=self._packages.base,
            deployment=self._deployment,
            environment=self._environment,
            stream=self._stream,
            bucket=self._archive.bucket,
        )

    def _compare_accounts(self) -> None:
        ReconcilerFunction(
            self,
            "Reconciler",
            package=self._packages.base,
            environment=self._environment,
            bucket=self._archive.bucket,
            fan_out=self._fan_out,
            archiver=self._archiver,
        )

    def _replay_events(self) -> Replay:
        return Replay(
            self,
            "Replay",
            package=self._packages.base,
            environment=self._environment,
            name=f"{self._deployment.stack_name}-replay",
            stream=self._stream,
            max_record_kib=self._deployment.stream.max_record_kib,
            bucket=self._archive.bucket,
        )

    def _fetch_events(self) -> PollerFunction | None:
        targets = poll_targets(self._deployment, self._sources)
        if not targets:
            return None
        return PollerFunction(
            self,
            "Poller",
            package=self._packages.base,
            environment=self._environment,
            poll_targets=targets,
            stream=self._stream,
            max_record_kib=self._deployment.stream.max_record_kib,
            bucket=self._archive.bucket,
            parameter_arns=self._parameters.arns("api_credential"),
        )

    def _take_events(self) -> FrontDoor | HttpDoor:
        receiver = self._receive_events()
        if self._deployment.door == "http_api" and receiver is not None:
            return HttpDoor(
                self,
                "FrontDoor",
                deployment=self._deployment,
                sources=self._sources,
                receiver=receiver,
                key=self._key,
            )
        authorizer = AuthorizerFunction(
            self,
            "Authorizer",
            package=self._packages.base,
            environment=self._environment,
            parameter_arns=self._parameters.arns("auth_token", ingest="direct"),
            reserved_concurrency=self._deployment.authorizer.reserved_concurrency,
        )
        return FrontDoor(
            self,
            "FrontDoor",
            deployment=self._deployment,
            sources=self._sources,
            stream=self._stream,
            authorizer=authorizer,
            receiver=receiver,
            key=self._key,
        )

    def _receive_events(self) -> ReceiverFunction | None:
        served = {name: one for name, one in self._sources.items() if one.settings.needs_receiver}
        if not served:
            return None
        return ReceiverFunction(
            self,
            "Receiver",
            package=self._packages.proving(served.values()),
            environment=self._environment,
            stream=self._stream,
            parameter_arns=self._parameters.read_at_the_door(served),
            learned_arns=self._parameters.written_at_the_door(served),
            reserved_concurrency=self._deployment.receiver.reserved_concurrency,
            # An HTTP API begins no traces, and nothing could sample those of the function.
            traced=self._deployment.door == "rest_api",
            system_log=self._deployment.receiver.system_log,
        )

    def _watched(self, front_door: FrontDoor | HttpDoor) -> Watched:
        return Watched(
            deployment=self._deployment,
            sources=self._sources,
            polls=poll_targets(self._deployment, self._sources),
            functions=functions_of(self),
            stream=self._stream.stream_name,
            queues=self._queue_names,
            redrive_queues={name: f"{full}{REDRIVE}" for name, full in self._queue_names.items()},
            tickets=self._archive.dead_letters.queue_name,
            tables={
                "delivered": self._table.table_name,
                **({"checkpoints": self._poller.table.table_name} if self._poller else {}),
            },
            access_logs=front_door.access_logs,
            http_api=front_door.api.ref if isinstance(front_door, HttpDoor) else None,
        )

    def _outputs(self, front_door: FrontDoor | HttpDoor) -> None:
        values = {
            StackOutput.API_URL: front_door.url,
            StackOutput.STREAM_NAME: self._stream.stream_name,
            StackOutput.ARCHIVE_BUCKET_NAME: self._archive.bucket.bucket_name,
            StackOutput.DEDUPE_TABLE_NAME: self._table.table_name,
            StackOutput.DEAD_LETTER_QUEUE_URL: self._archive.dead_letters.queue_url,
            StackOutput.FAN_OUT_FUNCTION_NAME: self._fan_out.function.function_name,
            StackOutput.ARCHIVER_FUNCTION_NAME: self._archiver.function.function_name,
            StackOutput.REPLAY_STATE_MACHINE_ARN: self._replay.state_machine.ref,
            StackOutput.ATHENA_WORKGROUP: self._tables.workgroup.ref,
            StackOutput.GLUE_DATABASE: self._tables.database.ref,
            StackOutput.SOURCES: self.to_json_string(self._describe_sources()),
            StackOutput.BILLS_OF_MATERIALS: self._bills.s3_object_url,
        }
        if self._poller:
            values[StackOutput.CHECKPOINT_TABLE_NAME] = self._poller.table.table_name
        if self._key:
            values[StackOutput.KEY_ARN] = self._key.key_arn
        for name, value in values.items():
            CfnOutput(self, name.value, value=value)

    def _own_key(self) -> kms.Key | None:
        if self._deployment.encryption == "aws_managed":
            return None
        return StackKey(self, "Encryption").key

    def _describe_sources(self) -> dict[str, dict[str, object]]:
        urls = {name: queue.queue_url for name, queue in self._queues.items()}
        return {
            name: {
                "ingest": source.settings.ingest,
                **({"route": f"/{route_of(source)}"} if has_route(source) else {}),
                **({"feeds": sorted(poll.feeds)} if (poll := source.settings.poll) else {}),
                **self._parameters.described(source),
                "queues": {queue: urls[queue] for queue in source.queues},
                "queue": urls[source.queue],
            }
            for name, source in sorted(self._sources.items())
        }
