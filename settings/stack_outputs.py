"""The outputs of the application's stack, by which everything outside of it finds its parts."""

from __future__ import annotations

from enum import StrEnum


class StackOutput(StrEnum):
    """The name of an output: `infra.application.stack` writes it, the operator's tools read it."""

    API_URL = "ApiUrl"
    STREAM_NAME = "StreamName"
    ARCHIVE_BUCKET_NAME = "ArchiveBucketName"
    DEDUPE_TABLE_NAME = "DedupeTableName"
    DEAD_LETTER_QUEUE_URL = "DeadLetterQueueUrl"
    FAN_OUT_FUNCTION_NAME = "FanOutFunctionName"
    ARCHIVER_FUNCTION_NAME = "ArchiverFunctionName"
    REPLAY_STATE_MACHINE_ARN = "ReplayStateMachineArn"
    ATHENA_WORKGROUP = "AthenaWorkgroup"
    GLUE_DATABASE = "GlueDatabase"
    #: A JSON object: what each source is, and where its events go.
    SOURCES = "Sources"
    #: The asset that says what the functions and the build are made of (CycloneDX), as a zip file.
    BILLS_OF_MATERIALS = "BillsOfMaterials"
    #: Only where a source is polled.
    CHECKPOINT_TABLE_NAME = "CheckpointTableName"
    #: Only with a key of the stack's own.
    KEY_ARN = "KeyArn"
    #: Only with a domain: what its record in DNS is to point to.
    DOMAIN_TARGET = "DomainTarget"
