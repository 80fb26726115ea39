"""Who can write into the archive, and what the template lets whom do."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.attack.forgeries import honest
from loadtests.attack.pipeline import new_mark
from loadtests.attack.verdicts import NotHeldError, refuse_if

if TYPE_CHECKING:
    from loadtests.attack.pipeline import AttackedPipeline
    from loadtests.attack.verdicts import Later

_PREFIXES = ("raw/", "rejected/", "quarantine/", "ledger/", "aws/lambda/")


def forged_lines(arena: AttackedPipeline) -> Later:
    """Write a line of a signed source's into the archive, and have an operator replay it (S8)."""
    mark, now = new_mark(), datetime.now(UTC)
    body, headers = honest(arena.sources["github"], mark)
    line = {
        "id": mark, "source": "github", "event_type": "push",
        "shard_id": "shardId-000000000000", "sequence_number": "1", "arrived": now.isoformat(),
        "envelope_id": mark, "envelope_source": "github",
        "envelope_ts": int(now.timestamp() * 1_000), "key": mark, "ip": "192.0.2.1",
        "headers": {name.lower(): value for name, value in headers.items()}
        | {"x-hub-signature-256": "sha256=" + "0" * 64},
        "replay": "", "replays": 0, "body": body.decode(),
    }  # fmt: skip
    key = f"raw/source=github/dt={now:%Y-%m-%d}/hr={now:%H}/shardId-000000000000-1.jsonl.gz"
    packed = gzip.compress(json.dumps(line).encode() + b"\n")
    arena.client("s3").put_object(Bucket=arena.where.archive_bucket, Key=key, Body=packed)
    words = ["replay", "--kind", "raw", "--id", mark, "--force", "--state", str(arena.state)]
    command = [str(Path(sys.executable).with_name("mozdef-ef")), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    refuse_if(done.returncode not in {0, 1}, f"the replay ended with {done.stderr[-200:]}")

    def judge() -> str:
        refuse_if(arena.events(mark), "the forged line came out")
        found = [one for one in arena.archived("quarantine/") if mark in json.dumps(one)]
        refuse_if(not found, f"the forged line was not replayed: {done.stdout[-200:]}")
        return "its signature is verified again, and it is in quarantine"

    return judge


def foreign_writers(arena: AttackedPipeline) -> str:
    """Write into the archive with rights of another's: the template's own refusal (S8)."""
    refused: dict[str, set[str]] = {}
    for each in _all(arena, "AWS::S3::BucketPolicy"):
        for statement in each["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            actions = {actions} if isinstance(actions, str) else set(actions)
            others = statement.get("Condition", {}).get("StringNotEquals", {})
            if statement["Effect"] == "Deny" and set(others) == {"aws:PrincipalArn"}:
                text = json.dumps(statement["Resource"])
                for prefix in _PREFIXES:
                    if f'"/{prefix}*"' in text and statement["Principal"] == {"AWS": "*"}:
                        refused.setdefault(prefix, set()).update(actions)
    for prefix in _PREFIXES:
        missing = {"s3:PutObject", "s3:ReplicateObject"} - refused.get(prefix, set())
        refuse_if(missing, f"{prefix}: {', '.join(sorted(missing))} is open to other writers")
    return "the bucket's policy refuses all but the writers below five prefixes"


def floods(arena: AttackedPipeline) -> str:
    """Fill the shard that others need (S3): the rules of the template against it."""
    templates = [
        json.dumps(method["Integration"]["RequestTemplates"])
        for method in _all(arena, "AWS::ApiGateway::Method")
        if "PutRecord" in json.dumps(method["Integration"].get("Uri", ""))
    ]
    keyed = [text for text in templates if "$partitionKey" in text and "AWS::StackId" in text]
    refuse_if(not keyed, "partition keys hold nothing that a stranger does not know")
    acls = _all(arena, "AWS::WAFv2::WebACL")
    rules = [rule["Statement"].get("RateBasedStatement") for acl in acls for rule in acl["Rules"]]
    by_id = [rule for rule in rules if rule and rule["AggregateKeyType"] == "CUSTOM_KEYS"]
    by_size = [rule for rule in rules if rule and "SizeConstraint" in json.dumps(rule)]
    refuse_if(not by_id or not by_size, "no rule bounds one delivery id, or bodies by size")
    refuse_if(any(rule["Limit"] > 10 for rule in by_id), "one delivery id may come too often")
    return "keys hold a secret of the stack, one id and one address are bound (not tried on AWS)"


def _all(arena: AttackedPipeline, kind: str) -> list[dict[str, Any]]:
    found = [
        resource["Properties"]
        for resource in arena.template["Resources"].values()
        if resource["Type"] == kind
    ]
    if not found:
        raise NotHeldError(f"the template has no {kind}")
    return found
