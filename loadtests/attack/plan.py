"""The red team's list: the cases that were found, and their kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.attack import archived, door, feeds, folders, forgeries, laptop, schemas, texts
from loadtests.attack.verdicts import Attack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.attack.verdicts import Judgement

STRANGER, SENDER, API, WRITER, REPOSITORY, USER, PAGE = (
    "a stranger", "who saw a request", "a polled API", "an archive writer",
    "a source's author", "another user", "a web page",
)  # fmt: skip

ATTACKS = (
    Attack("forge signatures", STRANGER, forgeries.forged_signatures),
    Attack("sign with another source's secret", SENDER, forgeries.signed_for_another),
    Attack("send signed JSON again as a form (S1)", SENDER, forgeries.forms_in_signed_json),
    Attack("send a captured request again (S2)", SENDER, forgeries.captured_requests),
    Attack("sign in the query", STRANGER, forgeries.headers_in_the_query),
    Attack("have a handshake answered unsigned", STRANGER, forgeries.handshakes_unsigned),
    Attack("guess, cut and mix tokens", STRANGER, door.wrong_tokens),
    Attack("lock out the right token (S11)", STRANGER, door.two_tokens),
    Attack("reach a source by another path or method", STRANGER, door.other_paths),
    Attack("send headers and bodies that are too large", STRANGER, door.oversized),
    Attack("write templates and JSON into headers", STRANGER, door.headers_that_are_code),
    Attack("fill one shard (S3)", STRANGER, archived.floods),
    Attack("wake somebody with forgeries (S9)", STRANGER, door.wakes_nobody),
    Attack("send bombs of 40 KB (R5)", SENDER, door.bombs),
    Attack("draw on an operator's terminal (S4)", SENDER, texts.hostile_text, brief=False),
    Attack("call the emulator without its key (S5)", PAGE, laptop.unsigned_calls),
    Attack("call the emulator with a wrong signature (S5)", USER, laptop.wrongly_signed_calls),
    Attack("read the API's answers from a page (S5)", PAGE, laptop.foreign_hosts_at_the_api),
    Attack("read files of the state directory (S6)", USER, laptop.open_files),
    Attack("read secrets in command lines (S6)", USER, laptop.secrets_in_command_lines),
    Attack("be another user of the machine (S5, S6)", USER, laptop.another_user),
    Attack("read files and hang by a source folder (S7)", REPOSITORY, folders.hostile_folders),
    Attack("write code into a schema", REPOSITORY, schemas.code_in_schemas, brief=False),
    Attack("replay a forged line of the archive (S8)", WRITER, archived.forged_lines, brief=False),
    Attack("write into the archive (S8)", WRITER, archived.foreign_writers),
    Attack("lead a poll to another server", API, feeds.links_to_elsewhere),
    Attack("answer a poll byte by byte (P6)", API, feeds.trickling_answers, brief=False),
    Attack("answer a poll with 15 MB of nothings (P7)", API, feeds.page_of_nothings, brief=False),
)


def tell(verdicts: Iterator[Judgement], say: Callable[[str, str], object]) -> int:
    """Say of each whether it held; return how many did not.

    Parameters
    ----------
    say : Callable[[str, str], object]
        Prints a line in a style.
    """
    fallen = 0
    for one in verdicts:
        word = {True: "held", False: "NOT HELD", None: "not tried"}[one.held]
        fallen += one.held is False
        style = {True: "", False: "red", None: "yellow"}[one.held]
        say(f"{word:<9} {one.attack.case:<18} {one.attack.name}: {one.reason}", style)
    return fallen
