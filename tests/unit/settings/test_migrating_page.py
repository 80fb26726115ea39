"""What docs/migrating.md offers in the place of the old way is there, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.deployment import Deployment
from settings.source.loader import load_source
from settings.source.model import Source
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import SampleRequest

PAGE = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n# (\S+).*?\n(.*?)```", PAGE, re.DOTALL)
STAGE, SENDER = (yaml.safe_load(text) for _, text in BLOCKS)


def test_the_pages_settings_are_taken() -> None:
    assert [name for name, _ in BLOCKS] == ["prod.yaml", "config/sources/alarms/source.yaml"]
    stage = Deployment.model_validate(STAGE | {"stage": "prod"})
    assert stage.queues["zoom"].full_name == "MozDef-EF-zoom-prod"
    assert stage.queues["zoom"].retention_days == 14
    Source.model_validate(SENDER)


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"`(mozdef\.[a-z_]+)[:`]", PAGE))))
def test_each_setting_of_the_message_is_one_of_the_model(setting: str) -> None:
    assert setting.removeprefix("mozdef.") in Source.model_fields["mozdef"].annotation.model_fields  # type: ignore[union-attr]


def test_an_event_of_the_old_framework_comes_out_as_it_did(tmp_path: Path) -> None:
    """The old handler's message, but for what MozDef asks for and it never sent."""
    folder = tmp_path / "alarms"
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml.safe_dump(SENDER))
    body = b'{"payload": {"a": 1.5}, "event": "x"}'
    sources = {"alarms": load_source(folder)}
    with compiled(sources) as catalog:
        secret = make_secret()
        rehearsal = Rehearsal(sources, catalog, (secret, make_secret()))
        headers = {"Authorization": secret, "Content-Type": "application/x-www-form-urlencoded"}
        for method in ("POST", "PUT"):
            ending = rehearsal.take("alarms", SampleRequest(headers, body, method), "r")
            (event,) = ending.delivered
            message: dict[str, Any] = yaml.safe_load(event.message)
            assert {
                "hostname": "alarms_host",
                "processname": "alarms",
                "summary": "alarms_event",
                "category": "alarms",
                "source": "api_aws_lambda",
                "tags": ["alarms"],
                "details": {"payload": {"a": 1.5}, "event": "x"},
            }.items() <= message.items()
