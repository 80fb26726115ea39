"""Every sender of the table is let in, and nobody else; the table says where it is not so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.senders import __main__ as printing
from tests.senders import table
from tests.senders.playing import Row, play_table
from tests.senders.table import Sender, read_table

if TYPE_CHECKING:
    from pathlib import Path

#: Never fewer: a sender that is taken in stays so.
EXPRESSIBLE, BY_LIBRARY = 180, 63


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return play_table(read_table())


def test_every_sender_is_let_in_and_nobody_else(rows: list[Row]) -> None:
    assert not {row.sender.id: row.faults for row in rows if row.faults}


def test_the_table_has_each_sender_of_the_list_once(rows: list[Row]) -> None:
    names = Counter(row.sender.id for row in rows)
    assert (len(names), names.most_common(1)[0][1]) == (185, 1)


def test_most_senders_are_expressible_and_the_others_say_why(rows: list[Row]) -> None:
    found = printing.counts(rows)
    assert found["expressible"] >= EXPRESSIBLE
    assert found["signed_by_library"] >= BY_LIBRARY


def test_whoever_signs_is_tried_with_another_secret_and_with_another_body(rows: list[Row]) -> None:
    own = [row for row in rows if row.sender.family == "hmac" and not row.sender.catalog]
    assert not {row.sender.id for row in own if not (row.wrong_secret and row.changed_bit)}


def test_no_request_was_signed_by_the_code_that_checks_it(rows: list[Row]) -> None:
    assert not {row.sender.id for row in rows if row.signer == "itself"}


def test_no_folder_is_left_out_of_the_table() -> None:
    known = {one.id for one in read_table() if not one.catalog}
    assert not {path.parent.name for path in table.FOLDER.glob("*/source.yaml")} - known


def test_a_table_has_80_columns(rows: list[Row]) -> None:
    printed = "\n".join(printing.line(row) for row in rows)
    assert max(map(len, printed.splitlines())) <= 80


def _sender(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, was: str, now: str) -> Sender:
    """The same sender, with settings that are not its own."""
    known = next(one for one in read_table() if one.id == name)
    shutil.copytree(known.folder, folder / name)
    settings = folder / name / "source.yaml"
    text = settings.read_text(encoding="utf-8")
    assert was in text
    settings.write_text(text.replace(was, now), encoding="utf-8")
    monkeypatch.setattr(table, "FOLDER", folder)
    return known


@pytest.mark.parametrize(
    ("name", "was", "now", "fault"),
    [
        ("calendly", "{timestamp}.{body}", "{timestamp}:{body}", "is bad_signature"),
        ("huggingface", "X-Webhook-Secret", "X-Webhook-Token", "is refused 401"),
        ("sinch", "{body}.{header", "{header", "contain {body} exactly once"),
    ],
)
def test_settings_that_are_not_the_senders_are_a_fault(
    name: str,
    was: str,
    now: str,
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = _sender(name, tmp_path, monkeypatch, was, now)
    (row,) = play_table([sender])
    assert fault in " ".join(row.faults)
    assert fault in printing.line(row)


@pytest.mark.parametrize(("was", "status"), [("sha1", 0), ("sha256", 1)])
def test_the_command_ends_with_1_where_a_row_does_not_hold(
    was: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sender = _sender("trello", tmp_path, monkeypatch, "sha1", was)
    monkeypatch.setattr(printing, "read_table", lambda: [sender])
    monkeypatch.setattr("sys.argv", ["senders", "--json"])
    assert printing.main() == status
    found = json.loads(capsys.readouterr().out)
    assert (found["counts"]["broken"], found["senders"][0]["accepted"]) == (status, not status)


def test_a_sender_is_expressible_or_has_a_reason() -> None:
    with pytest.raises(ValueError, match="either a reason or a source"):
        Sender(id="nobody", name="Nobody", evidence="memory")
    with pytest.raises(ValueError, match="either a reason or a source"):
        Sender(id="stripe", name="Stripe", evidence="lib", catalog="stripe", reason="none")
