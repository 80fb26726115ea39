"""docs/first-hour.md: each step has a command, what to see and what to change; commands exist.

The commands of AWS's own command line are held to botocore's models, in every page.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.session import Session

from tests.unit.test_documents import PAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "first-hour.md"
#: Options of the command line itself (AWS CLI reference, global options).
GLOBAL = {"query", "output", "region", "profile"}
#: `aws s3` is a program of the command line's own, without a model; `s3api` is the service.
OWN = {"s3"}
NAMES = {"s3api": "s3"}
_COMMAND = re.compile(r"(?<![\w.])aws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)((?:\\\n|[^\n`|])*)")
_STEP = re.compile(r"^### (\d+)\. .*\n((?:(?!^##).*\n)+)", re.MULTILINE)


def commands(text: str) -> Iterator[tuple[str, str, list[str]]]:
    for service, operation, rest in _COMMAND.findall(text):
        # What stands in quotes is a value, and may hold another command.
        bare = re.sub(r'"[^"]*"|\'[^\']*\'', "", rest)
        yield service, operation, re.findall(r"--([a-z][a-z0-9-]+)", bare)


@cache
def operations(service: str) -> dict[str, set[str]]:
    """Return each operation's options, as the command line spells them."""
    model: Any = Session().get_service_model(NAMES.get(service, service))
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = shape.members if shape else {}
        found[xform_name(name, "-")] = {xform_name(each, "-") for each in members}
    return found


def fault_of(service: str, operation: str, options: list[str]) -> str:
    try:
        known = operations(service)
    except UnknownServiceError:
        return f"no service {service}"
    if operation not in known:
        return f"{service} has no operation {operation}"
    odd = set(options) - known[operation] - GLOBAL
    return f"{service} {operation} has no option {sorted(odd)}" if odd else ""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_aws_exists(path: Path) -> None:
    for service, operation, options in commands(path.read_text()):
        if service not in OWN:
            assert not (fault := fault_of(service, operation, options)), fault


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("aws kinesis describe-streams --stream-name x", "no operation describe-streams"),
        ("aws kinesis describe-stream-summary --stream x", "no option ['stream']"),
        ("aws kinesys list-streams", "no service kinesys"),
        ("f $(aws lambda get-function --name x)", "no option ['name']"),
        ('aws logs describe-log-groups \\\n  --query "a --b" --prefix x', "no option ['prefix']"),
    ],
)
def test_a_wrong_command_is_found(line: str, fault: str) -> None:
    ((service, operation, options),) = commands(line)
    assert fault in fault_of(service, operation, options)


def steps() -> dict[int, str]:
    return {int(number): text for number, text in _STEP.findall(PAGE.read_text())}


def test_the_steps_are_numbered_in_order() -> None:
    assert list(steps()) == list(range(1, len(steps()) + 1))
    assert len(steps()) == PAGE.read_text().count("\n### ")


@pytest.mark.parametrize("number", sorted(steps()))
def test_a_step_says_what_to_run_to_see_and_to_change(number: int) -> None:
    text = steps()[number]
    run, see, otherwise = (text.find(mark) for mark in ("\n```\n", "**See:** ", "**Otherwise:** "))
    assert -1 < run < see < otherwise


def test_the_blocks_are_of_the_shells_language_and_the_queries_of_jmespaths() -> None:
    text = PAGE.read_text()
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["bash", "-n"], input="".join(blocks), text=True, check=False, stderr=-1)
    assert not done.stderr
    queries = re.findall(r'--query "([^"]+)"|--query (\w+)', text)
    assert len(queries) > 10
    for query in queries:
        jmespath.compile("".join(query))


def test_what_is_to_be_changed_is_where_the_page_says() -> None:
    pairs = re.findall(r"`(\w+)`[^`\n|]{0,30}? (?:in|of) `([\w/]+\.py)`", PAGE.read_text())
    assert len(pairs) >= 8
    for name, file in pairs:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text()), f"{name} in {file}"


@pytest.mark.parametrize(
    "words",
    [
        "aws:SourceAccount", "CloudWatch Logs", "context.path", "1,250", "7.5 MB", "4.5 MB",
        "MaxRecordSizeInKiB", "needs minutes before it polls", "in any case",
        "SerializationException",
        "takes an empty header", "standard:7.0-", "s3:TestEvent", "INSUFFICIENT_DATA",
    ],
)  # fmt: skip
def test_each_doubtful_fact_has_its_step(words: str) -> None:
    assert any(words in text for text in steps().values())


def test_the_image_is_the_one_that_is_pinned() -> None:
    from settings.delivery_pipeline import BUILD_IMAGE

    assert f"`{BUILD_IMAGE}`" in PAGE.read_text()
