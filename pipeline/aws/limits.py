"""The limits of AWS, and the errors that say that one was reached; each with its source."""

from __future__ import annotations

#: Kinesis API reference, PutRecord: a partition key has 1 to 256 characters.
PARTITION_KEY_CHARACTERS = 256
#: Amazon Kinesis Data Streams quotas: a record has 1 MiB, data and partition key, unless the stream
#: allows more: the functions read what theirs allows (`stream.max_record_kib`) from MAX_RECORD_KIB.
RECORD_BYTES = 1_048_576
#: Kinesis API reference, PutRecords: 500 records; 5 MiB until 2025, 10 MiB since.
RECORDS_PER_PUT = 500
BYTES_PER_PUT = 5 * 1024 * 1024
#: Amazon Kinesis Data Streams quotas: one shard takes 1 MB and 1,000 records a second; a new
#: on-demand stream takes four times that.
SHARD_BYTES = 1_000_000
SHARD_RECORDS = 1_000
ON_DEMAND_SHARDS = 4

#: Amazon SQS quotas: a message, and all messages of a batch together.
MESSAGE_BYTES = 1_048_576
#: SQS API reference, SendMessageBatch.
MESSAGES_PER_BATCH = 10
#: U+FFFE and U+FFFF in UTF-8. SQS API reference, SendMessage: they are not among the characters
#: that a message may have.
CHARACTERS_NOT_IN_MESSAGES = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")

#: AWS Lambda quotas: all environment variables of a function together.
ENVIRONMENT_BYTES = 4_096

#: DynamoDB API reference, BatchGetItem and BatchWriteItem.
KEYS_PER_READ = 100
ITEMS_PER_WRITE = 25

#: What a call ends with that comes too often: all that botocore's retries know as a throttle
#: (`retries/standard.py`, `data/_retry.json`), and what SQS, SSM and Kinesis hand on of KMS (their
#: API references).
THROTTLING_ERRORS = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMS.ThrottlingException",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
#: The statuses that say the same, with whatever name or none (RFC 6585; RFC 9110).
PASSING_STATUSES = frozenset({429, 503})
#: What may work a moment later though it is no throttle and has a 4xx (the same of botocore).
PASSING_ERRORS = frozenset(
    {"BadDigest", "ReplicatedWriteConflictException", "RequestTimeout", "RequestTimeoutException"}
)
#: What GetParameter ends with where one parameter is at fault, and none of the others: SSM API
#: reference, GetParameter; "Common Errors"; what KMS says of a value's key (KMS API reference,
#: Decrypt, less what passes), which SSM hands on under this name or as one of its own.
PARAMETER_ERRORS = frozenset(
    {
        "ParameterNotFound",
        "ParameterVersionNotFound",
        "InvalidKeyId",
        "AccessDeniedException",
        "AccessDenied",
        "ValidationException",
        "DisabledException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "InvalidGrantTokenException",
        "InvalidKeyUsageException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "NotFoundException",
    }
)
#: What SendMessageBatch ends with where one queue is at fault: gone, forbidden, or its key is. SQS
#: API reference, SendMessageBatch, in the spelling of the JSON protocol and in that of the query
#: protocol, which SQS still puts into a header; "Common Errors".
QUEUE_ERRORS = frozenset(
    {
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidAddress",
        "AccessDenied",
        "AccessDeniedException",
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
        "KmsAccessDenied",
        "KMS.AccessDeniedException",
        "KmsDisabled",
        "KMS.DisabledException",
        "KmsInvalidKeyUsage",
        "KMS.InvalidKeyUsageException",
        "KmsInvalidState",
        "KMS.InvalidStateException",
        "KmsNotFound",
        "KMS.NotFoundException",
        "KmsOptInRequired",
        "KMS.OptInRequired",
    }
)
#: Kinesis API reference, PutRecords: what another try will not mend.
LASTING_STREAM_ERRORS = frozenset(
    {
        "AccessDeniedException",
        "InvalidArgumentException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "ResourceNotFoundException",
        "ValidationException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
    }
)
#: Kinesis API reference, PutRecord: the errors that a sender can cause. Stream name and partition
#: key are always valid, so the length of the record is all that is left. In the order in which the
#: mapping template asks for them.
RECORD_TOO_LARGE_ERRORS = ("ValidationException", "InvalidArgumentException")
#: SQS API reference, SendMessageBatch: errors of a whole call that trying again cannot mend, since
#: a message of it is at fault.
MESSAGE_ERRORS = frozenset(
    {
        "InvalidMessageContents",
        "InvalidMessageContentsException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "BatchRequestTooLong",
        "AWS.SimpleQueueService.BatchRequestTooLong",
    }
)
#: Parts of SQS's errors that say that a message is too long (recorded).
MESSAGE_TOO_LONG = ("BatchRequestTooLong", "MessageTooLong", "must be shorter", "too long")
