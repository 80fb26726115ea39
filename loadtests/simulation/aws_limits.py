"""What AWS documents of its limits, as numbers, and what an account is granted of them.

The pages are named in docs/scaling.md. A quota is what may be asked for; the others are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Kinesis Data Streams quotas: of one shard. Two consumers without enhanced fan-out share what is
#: read; a GetRecords of 10 MB makes the next ones wait for five seconds.
SHARD_BYTES_IN = 1_000_000
SHARD_RECORDS_IN = 1_000
SHARD_BYTES_OUT = 2_000_000
SHARD_READS = 5
READ_BURST_SECONDS = 5.0
#: Kinesis Data Streams, on-demand mode: 4 MB/s at first; up to double the former peak, which is
#: looked at each 15 minutes.
ON_DEMAND_SHARDS = 4
ON_DEMAND_WINDOW_SECONDS = 900
#: Lambda with Kinesis: how often a shard is polled that had nothing, and how long a record is on
#: its way with enhanced fan-out (Kinesis Data Streams, consumers with dedicated throughput).
POLL_SECONDS = 1.0
PUSH_SECONDS = 0.07
#: Lambda quotas: 6 MB of an invocation, in which a record is base64 with some 400 bytes around it.
PAYLOAD_BYTES = 6_291_556
RECORD_FRAME_BYTES = 400
#: Recordings of AWS: the wait between two attempts of a batch, which doubles; a minute at the most.
FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 60.0
#: Lambda: 1,769 MB are one vCPU.
MB_A_VCPU = 1_769
#: DynamoDB, on-demand mode: a new table's units a second, and up to double the former peak within
#: 30 minutes. Provisioned: what was unused of five minutes may be used at once.
ON_DEMAND_WRITES = 4_000
ON_DEMAND_READS = 12_000
ON_DEMAND_TABLE_WINDOW_SECONDS = 1_800
TABLE_BURST_SECONDS = 300.0
#: SQS quotas: messages of a standard queue that were received and not deleted.
IN_FLIGHT = 120_000


@dataclass(frozen=True)
class AccountQuotas:
    """What an account may use of what can be asked for.

    Parameters
    ----------
    requests : float
        Of API Gateway, a second.
    invocations : int
        Of Lambda, at once, over all functions.
    table_units : float
        Of an on-demand table, reads and writes each, a second.
    stream_shards : int
        What an on-demand stream may grow to, or a provisioned one may have.
    """

    requests: float = 10_000
    invocations: int = 1_000
    table_units: float = 40_000
    stream_shards: int = 500


#: Recorded of new accounts: they begin with ten invocations at once.
NEW_ACCOUNT = AccountQuotas(invocations=10, stream_shards=200)
DEFAULT_ACCOUNT = AccountQuotas()
"""The quotas that AWS documents as the default of a large region."""
