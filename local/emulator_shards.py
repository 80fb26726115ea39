"""A shard that was split or merged stays at the emulator, closed, until its records expire.

The emulator forgets such a shard, and what was not read of it is lost. The Kinesis API reference
says of AWS (SplitShard, MergeShards, GetRecords): the parent's records stay as they are, new ones
go to its children, ListShards gives it with an EndingSequenceNumber, and GetRecords at its end has
no NextShardIterator, and names the children.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Shard = dict[str, Any]
    Reply = tuple[int, dict[str, str], bytes]

#: In a shard that is closed: its last number, which is above those of its records.
END = "ending_sequence_number"
USED = (
    "_split_shard",
    "_merge_shards",
    "_route_to_shard",
    "_shard_out",
    "_get_records",
    "_resolve_stream",
    "_next_sequence_number",
    "error_response_json",
)


class ClosedShards:
    """Functions that stand for those of the emulator's Kinesis module.

    Parameters
    ----------
    kinesis : Any
        The module; see `USED` for what is needed of it.
    """

    def __init__(self, kinesis: Any) -> None:
        self._kinesis = kinesis
        self._before = {name: getattr(kinesis, name) for name in USED}

    def install(self) -> None:
        """Put itself into the module."""
        self._kinesis._split_shard = self._keeping("_split_shard", "ShardToSplit")
        self._kinesis._merge_shards = self._keeping(
            "_merge_shards", "ShardToMerge", "AdjacentShardToMerge"
        )
        self._kinesis._route_to_shard = self.route_to_shard
        self._kinesis._shard_out = self.shard_out
        self._kinesis._get_records = self.get_records

    def _keeping(self, name: str, *named: str) -> Callable[[Any], Reply]:
        def reshard(data: Any) -> Reply:
            _, stream = self._kinesis._resolve_stream(data)
            shards: dict[str, Shard] = stream["shards"] if stream else {}
            parents = {data.get(one): shards.get(data.get(one)) for one in named}
            if any(parent and END in parent for parent in parents.values()):
                return self._refused(f"{', '.join(map(str, parents))}: not all of them are open")
            # Drawn before the children's: all numbers of a child are above those of its parent.
            end = self._kinesis._next_sequence_number()
            reply: Reply = self._before[name](data)
            if reply[0] == 200:
                for key, parent in parents.items():
                    if parent:
                        parent[END] = end
                        shards[key] = parent
            return reply

        return reshard

    def _refused(self, message: str) -> Reply:
        reply: Reply = self._kinesis.error_response_json("ResourceInUseException", message, 400)
        return reply

    def route_to_shard(self, hash_key: int, stream: Mapping[str, Any]) -> str:
        """Return the open shard whose range has a hash key."""
        opened = {key: one for key, one in stream["shards"].items() if END not in one}
        return str(self._before["_route_to_shard"](hash_key, {**stream, "shards": opened}))

    def shard_out(self, shard_id: str, shard: Shard) -> dict[str, Any]:
        """Return a shard as ListShards gives it."""
        out: dict[str, Any] = self._before["_shard_out"](shard_id, shard)
        if END in shard:
            out["SequenceNumberRange"] = {
                **out["SequenceNumberRange"],
                "EndingSequenceNumber": shard[END],
            }
        return out

    def get_records(self, data: Any) -> Reply:
        """Answer GetRecords; at the end of a closed shard without an iterator to go on with."""
        status, headers, content = self._before["_get_records"](data)
        if status != 200:
            return status, headers, content
        place = self._kinesis._shard_iterators[data["ShardIterator"]]
        shards = self._kinesis._streams[place["stream"]]["shards"]
        shard = shards[place["shard_id"]]
        if END not in shard:
            return status, headers, content
        answer = json.loads(content)
        following = self._kinesis._shard_iterators[answer["NextShardIterator"]]
        if following["position"] >= len(shard["records"]):
            del answer["NextShardIterator"]
            answer["ChildShards"] = self._children(place["shard_id"], shards)
        return status, headers, json.dumps(answer).encode()

    def _children(self, parent: str, shards: Mapping[str, Shard]) -> list[dict[str, Any]]:
        return [
            {
                "ShardId": key,
                "ParentShards": [one for one in _parents(shard) if one],
                "HashKeyRange": self.shard_out(key, shard)["HashKeyRange"],
            }
            for key, shard in shards.items()
            if parent in _parents(shard)
        ]


def _parents(shard: Shard) -> tuple[Any, Any]:
    return shard["parent_shard_id"], shard["adjacent_parent_shard_id"]
