"""Whether each call that the end-to-end tests make is allowed, and each permission is called for.

The calls are those of the emulator's wire (`local/iam`), and the judge is a policy simulator; what
the stack grants has no part in what is asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Self

from loadtests.deploy_check import delivery
from loadtests.deploy_check.frame import CheckRow, DeployCheck
from local.iam.calls import CALLS_FILE, MODEL_FILE, CallLog, IamCall, read_calls
from local.iam.model import IamModel
from local.iam.review import Review, review_all
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from local.iam.policies import Permission

ROOT = Path(__file__).parents[2]
#: Where the end-to-end tests keep the calls of their runs, for this check.
FOLDER_VARIABLE = "MOZDEF_EF_CALLS"
_COMMANDS = (
    "the_assets_of_all_stages_are_uploaded_as_their_manifests_say",
    "the_pipeline_changes_itself_with_what_its_build_gave_it",
)
_WAY = (
    "tests/e2e/test_local_pipeline.py::test_each_sample_of_each_source",
    "tests/e2e/test_polling.py",
    "tests/e2e/test_reconciler.py",
    "tests/e2e/test_replay.py",
    *(f"tests/infra/delivery_pipeline/test_build_commands.py::test_{name}" for name in _COMMANDS),
    "tests/infra/delivery_pipeline/test_delivery_permissions.py",
)
#: Why a policy allows what no run ever calls for: by whose policy it is, action and resource, in
#: each of which an asterisk stands for anything.
REASONS = {
    ("PollerRole", "s3:PutObject", "*/rejected/*"): "for an event that is too large for a record",
    ("EncryptionKey", "kms:CreateGrant", "*"): "DynamoDB asks for it when a table is made",
    ("EncryptionKey", "kms:DescribeKey", "*"): "who makes a table or parameter looks at the key",
    ("EncryptionKey", "kms:Encrypt", "*"): "`mozdef-ef secret set`, with an operator's permissions",
    ("EncryptionKey", "kms:ReEncrypt*", "*"): "as in the policies of AWS's own keys",
    ("*Key", "kms:[*]", "*"): "the account's owner administers the key",
    **delivery.REASONS,
}


class WayFailedError(PipelineError):
    """The end-to-end tests failed, so their calls say nothing."""


@dataclass(frozen=True)
class RecordedCalls:
    """What was called in a run, and the policies of its stack."""

    model: IamModel
    calls: Sequence[IamCall]

    @classmethod
    def of(cls, state: Path) -> Self | None:
        """Read what a run left; None where it came to no call."""
        model = state / MODEL_FILE
        if not model.exists():
            return None
        return cls(IamModel.from_json(model.read_bytes()), read_calls(state / CALLS_FILE))


def reviews(runs: Sequence[RecordedCalls]) -> list[Review]:
    """Judge the calls of each run."""
    return review_all([(run.model, run.calls) for run in runs])


def keep(state: Path) -> None:
    """Keep a run's calls for whoever asked for them (`make deploy-check`)."""
    if (folder := os.environ.get(FOLDER_VARIABLE)) and (state / MODEL_FILE).exists():
        place = Path(folder) / uuid.uuid4().hex
        place.mkdir(parents=True)
        for name in (MODEL_FILE, CALLS_FILE):
            if (state / name).exists():
                shutil.copyfile(state / name, place / name)


def keep_calls(state: Path, model: IamModel, calls: Iterable[IamCall]) -> None:
    """Write calls as a run does, into a folder that is not there yet, and keep them."""
    state.mkdir()
    (state / MODEL_FILE).write_text(model.to_json())
    CallLog(state / CALLS_FILE).add(calls)
    keep(state)


def never_called(found: Iterable[Review]) -> dict[tuple[str, str, str], str]:
    """Return what policies of any run allow and no run called for.

    Returns
    -------
    dict[tuple[str, str, str], str]
        Whose policy, action and resource, to the reason why it is there; empty for none.
    """
    unused, used = set[tuple[str, str, str]](), set[tuple[str, str, str]]()
    for review in found:
        idle = review.unused()
        unused |= {_plain(review.model, each) for each in idle}
        used |= {
            _plain(review.model, each)
            for each in review.model.permissions
            if each.allows and each not in idle
        }
    return {
        key: next((why for pattern, why in REASONS.items() if _fits(key, pattern)), "")
        for key in sorted(unused - used)
    }


def _fits(key: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    return all(map(fnmatchcase, key, pattern))


def _plain(model: IamModel, permission: Permission) -> tuple[str, str, str]:
    """Name a permission without what differs from run to run."""
    resource = str(permission.statement.get("Resource", permission.subject))
    for arn, name in model.names.items():
        if resource.startswith(arn) and resource[len(arn) : len(arn) + 1] in {"", "/", ":"}:
            resource = name + resource[len(arn) :]
    if to := permission.statement.get("Principal"):
        resource += f" to {to}"
    return permission.holder, str(permission.statement["Action"]), resource


def unexplained(found: Sequence[Review], holders: Container[str] | None = None) -> list[str]:
    """Say which permissions of these holders have neither a call nor a reason, and the reverse.

    Parameters
    ----------
    holders : Container[str] | None
        Whose policies the runs were to call for, by the names of roles and resources; None: all.
    """
    known = {name for review in found for name in review.model.names.values()}
    asked = {name for name in known if holders is None or name in holders}
    idle = {key: why for key, why in never_called(found).items() if key[0] in asked}
    faults = [
        f"{holder}: {action} on {resource} is allowed, and no run calls for it: take it out of the "
        "policy, or say in REASONS why it is there"
        for (holder, action, resource), why in idle.items()
        if not why
    ]
    for pattern in REASONS:
        meant = {name for name in known if fnmatchcase(name, pattern[0])}
        if meant and meant <= asked and not any(_fits(key, pattern) for key in idle):
            faults.append(f"REASONS: {', '.join(pattern)}: stale, for it is called for or gone")
    return faults


def rows(found: Sequence[Review]) -> list[CheckRow]:
    """Return a row for each who calls, or whose policy allows what nobody calls for."""
    calls, denied = Counter[str](), Counter[str]()
    for review in found:
        for verdict in review.verdicts:
            who = review.model.names.get(verdict.call.principal, verdict.call.principal)
            calls[who] += 1
            denied[who] += not verdict.allowed
    idle: dict[str, dict[str, list[str]]] = {}
    for (holder, action, _), why in never_called(found).items():
        idle.setdefault(holder, {}).setdefault(why or "NO REASON", []).append(action)
    faults = [*dict.fromkeys(line for review in found for line in review.denied())]
    faults += unexplained(found)
    made = [
        CheckRow(
            (
                *(who, calls[who], calls[who] - denied[who], denied[who]),
                "; ".join(f"{', '.join(what)} ({why})" for why, what in idle.get(who, {}).items()),
            )
        )
        for who in sorted({*calls, *idle})
    ]
    return [
        *made,
        CheckRow(
            ("all", calls.total(), calls.total() - denied.total(), denied.total(), ""), faults
        ),
    ]


def check(folder: Path) -> list[CheckRow]:
    """Run the end-to-end way, and judge the calls that it made.

    Raises
    ------
    WayFailedError
        When a test of it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_WAY],
        cwd=ROOT,
        env={**os.environ, FOLDER_VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    runs = [run for place in sorted(folder.iterdir()) if (run := RecordedCalls.of(place))]
    if done.returncode and not any(line for review in reviews(runs) for line in review.denied()):
        raise WayFailedError(f"the end-to-end tests failed:\n{done.stdout[-3_000:]}")
    return rows(reviews(runs))


PERMISSIONS = DeployCheck(
    "permissions",
    "Calls of the end-to-end way, by who makes them, and what nobody calls for",
    ("principal", "calls", "allowed", "denied", "never called for (why it is allowed)"),
    check,
)
