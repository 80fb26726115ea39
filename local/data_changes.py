"""What of a changed data plane an emulator that holds data can take over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What holds data, and those of its properties that only a new one can have. AWS CloudFormation's
#: template reference ("Update requires: Replacement"); of a stream also its shards, which AWS
#: splits and merges, and the emulator makes anew, empty.
_FIXED = {
    "AWS::DynamoDB::Table": ("AttributeDefinitions", "KeySchema", "TableName"),
    "AWS::Kinesis::Stream": ("Name", "ShardCount", "StreamModeDetails"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("FifoTopic", "TopicName"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
}
#: Of these the emulator's CloudFormation changes one that is there; of the others it makes one anew
#: in its place, without what was in it.
_CHANGED_IN_PLACE = {"AWS::S3::Bucket"}
#: A second one would be made beside the first.
_MADE_AGAIN = {"AWS::SNS::Subscription"}


class DataWouldBeLostError(PipelineError):
    """A template asks for what only new streams, queues, tables or buckets can be.

    Attributes
    ----------
    changes : tuple[str, ...]
        What that is, a line each.
    """

    def __init__(self, changes: tuple[str, ...]) -> None:
        super().__init__("what is kept cannot be taken over:\n" + "\n".join(changes))
        self.changes = changes


def plan_update(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Plan the way from a data plane to another, on which nothing that holds data is lost.

    What holds data stays when the template has it no more, as with a deployment's `Retain`, and is
    found there when it comes back. What is there keeps its form: `complete` sets the properties.

    Parameters
    ----------
    kept, wanted : Mapping[str, Any]
        Templates: what the emulator's CloudFormation has now, and what it is to have.

    Returns
    -------
    list[dict[str, Any]]
        The templates to go by, in their order; none where nothing changes.

    Raises
    ------
    DataWouldBeLostError
        When there is none.
    """
    before, after = kept["Resources"], wanted["Resources"]
    if lost := tuple(_lost(before, after)):
        raise DataWouldBeLostError(lost)
    merged = {
        name: before[name] if name in before and _keeps_form(body) else body
        for name, body in after.items()
    }
    merged |= {
        name: body for name, body in before.items() if name not in after and body["Type"] in _FIXED
    }
    again = {
        name
        for name, body in merged.items()
        if body["Type"] in _MADE_AGAIN and before.get(name, body) != body
    }
    steps = [merged]
    if again:
        steps.insert(0, {name: body for name, body in merged.items() if name not in again})
    if merged == dict(before):
        return []
    return [{**wanted, "Resources": _without_dangling(one)} for one in steps]


def _keeps_form(body: Mapping[str, Any]) -> bool:
    return body["Type"] in _FIXED and body["Type"] not in _CHANGED_IN_PLACE


def _lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was["Type"] != now["Type"] and was["Type"] in _FIXED:
            yield f"{name} is {was['Type']}, and would be {now['Type']}"
            continue
        for key in _FIXED.get(now["Type"], ()):
            old, new = (each.get("Properties", {}).get(key) for each in (was, now))
            if old != new:
                yield f"{name} ({now['Type']}): {key} is {_said(old)}, and would be {_said(new)}"


def _said(value: Any) -> str:
    return "not set" if value is None else str(value)


def _without_dangling(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return resources without dependencies on what is gone."""
    left = {}
    for name, body in resources.items():
        there = [one for one in body.get("DependsOn", ()) if one in resources]
        bare = {key: value for key, value in body.items() if key != "DependsOn"}
        left[name] = {**bare, "DependsOn": there} if there else bare
    return left
