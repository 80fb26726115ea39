"""Glue tables over the archive, and the Athena workgroup that queries them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from pipeline.archive.keys import (
    DAY,
    HOUR,
    LEDGER_PREFIX,
    QUARANTINE_PREFIX,
    QUERY_RESULTS_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    SOURCE,
)
from pipeline.event.events import UNKNOWN_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

    from settings.deployment import Deployment

"""Where the archive puts what it can give no source."""

SCAN_LIMIT_BYTES = 1 << 40
"""Athena stops a query that reads more: one that forgot to say which days."""

PLACE = {"shard_id": "string", "sequence_number": "string", "arrived": "string"}
EVENT = {
    "id": "string",
    "event_type": "string",
    **PLACE,
    "envelope_id": "string",
    "envelope_source": "string",
    "envelope_ts": "bigint",
    "key": "string",
    "ip": "string",
    "headers": "map<string,string>",
    "replay": "string",
    "replays": "int",
    "only": "string",
    "body": "string",
    "body_base64": "string",
    "record_base64": "string",
}
"""The line's `source` is the partition's: a table cannot have it twice."""

REJECTION = {
    "reason": "string",
    "explanation": "string",
    "kind": "string",
    "element": "int",
    **EVENT,
}
OUTCOME = {
    "id": "string",
    "source": "string",
    "outcome": "string",
    "reason": "string",
    "elements": "int",
    "partial": "boolean",
    **PLACE,
}

_BY_HOUR = {DAY: "string", HOUR: "int"}
_BY_SOURCE = {SOURCE: "string", **_BY_HOUR}


class ArchiveTables(Construct):
    """One database of four tables, and a workgroup whose results stay in the archive's bucket.

    No crawler and no partition to add: Athena computes a query's partitions from the tables'
    properties (Athena User Guide, partition projection; its types are enum, integer and date).

    Parameters
    ----------
    key : kms.IKey, optional
        Encrypts the results, which are events; without one, the key that S3 manages does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        bucket: s3.Bucket,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bucket = bucket
        self._key = key
        self.database = self._database(deployment)
        sources = sorted({*deployment.sources, *deployment.archive.former_sources, UNKNOWN_SOURCE})
        archive = deployment.archive
        for prefix, columns, days in (
            (RAW_PREFIX, EVENT, archive.raw_days),
            (REJECTED_PREFIX, REJECTION, archive.rejected_days),
            (QUARANTINE_PREFIX, REJECTION, archive.quarantine_days),
        ):
            projection = {**_project_sources(sources), **_project_hours(days)}
            self._table(prefix, columns, _BY_SOURCE, projection)
        self._table(LEDGER_PREFIX, OUTCOME, _BY_HOUR, _project_hours(archive.raw_days))
        self.workgroup = self._workgroup(deployment)

    def _database(self, deployment: Deployment) -> glue.CfnDatabase:
        # Glue's names are lower case; a hyphen would have to be quoted in each query.
        name = deployment.stack_name.lower().replace("-", "_")
        return glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=name, description=f"The archive of {deployment.stack_name}"
            ),
        )

    def _table(
        self,
        prefix: str,
        columns: Mapping[str, str],
        partitions: Mapping[str, str],
        projection: Mapping[str, str],
    ) -> None:
        name = prefix.rstrip("/")
        location = self._bucket.s3_url_for_object(prefix)
        # Athena puts the partition's values in; `dt` and `hr` are in UTC, as the archive's keys.
        template = "".join(f"{partition}=${{{partition}}}/" for partition in partitions)
        glue.CfnTable(
            self,
            name.capitalize(),
            catalog_id=Aws.ACCOUNT_ID,
            database_name=self.database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters={
                    "EXTERNAL": "TRUE",
                    "classification": "json",
                    "compressionType": "gzip",
                    "projection.enabled": "true",
                    **projection,
                    "storage.location.template": f"{location}{template}",
                },
                partition_keys=_columns(partitions),
                storage_descriptor=_json_lines(location, columns),
            ),
        )

    def _workgroup(self, deployment: Deployment) -> athena.CfnWorkGroup:
        results = athena.CfnWorkGroup.ResultConfigurationProperty(
            output_location=self._bucket.s3_url_for_object(QUERY_RESULTS_PREFIX),
            # Said here, because Athena's own default is not the bucket's.
            encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                encryption_option="SSE_KMS" if self._key else "SSE_S3",
                kms_key=self._key.key_arn if self._key else None,
            ),
        )
        return athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=deployment.stack_name,
            description=f"Queries of the archive of {deployment.stack_name}",
            # What is in it is the history of queries: it goes with the stack.
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                # Else a client may choose another place for the results, and no encryption.
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=SCAN_LIMIT_BYTES,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=results,
            ),
        )


def _project_sources(sources: Iterable[str]) -> dict[str, str]:
    return {
        f"projection.{SOURCE}.type": "enum",
        f"projection.{SOURCE}.values": ",".join(sources),
    }


def _project_hours(days: int) -> dict[str, str]:
    """Project days as far back as objects are kept, and one ahead for clocks that differ."""
    return {
        f"projection.{DAY}.type": "date",
        f"projection.{DAY}.format": "yyyy-MM-dd",
        # S3 expires an object at the midnight after its last day: a day more on either side.
        f"projection.{DAY}.range": f"NOW-{days + 1}DAYS,NOW+1DAYS",
        f"projection.{DAY}.interval": "1",
        f"projection.{DAY}.interval.unit": "DAYS",
        f"projection.{HOUR}.type": "integer",
        f"projection.{HOUR}.range": "0,23",
        f"projection.{HOUR}.digits": "2",
    }


def _json_lines(
    location: str, columns: Mapping[str, str]
) -> glue.CfnTable.StorageDescriptorProperty:
    return glue.CfnTable.StorageDescriptorProperty(
        location=location,
        columns=_columns(columns),
        compressed=True,
        input_format="org.apache.hadoop.mapred.TextInputFormat",
        output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        serde_info=glue.CfnTable.SerdeInfoProperty(
            serialization_library="org.openx.data.jsonserde.JsonSerDe"
        ),
    )


def _columns(columns: Mapping[str, str]) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in columns.items()]
