"""The protobuf messages of the Kinesis Producer Library's aggregates."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# aws-kinesis-agg 1.2.3 generated its messages with a top-level import of `config_pb2`, which its
# other modules make work by changing sys.path. One alias does the same and leaves the path alone.
if "config_pb2" not in sys.modules:
    sys.modules["config_pb2"] = import_module("aws_kinesis_agg.config_pb2")

AggregatedRecord: Any = import_module("aws_kinesis_agg.messages_pb2").AggregatedRecord

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16
