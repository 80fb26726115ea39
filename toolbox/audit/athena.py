"""Runs queries on Athena, some at a time, and reads their answers row by row."""

from __future__ import annotations

import csv
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import QUERY_RESULTS_PREFIX
from pipeline.archive.unpacking import split_lines
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.archive.objects import Objects
    from toolbox.seams import Queries

#: A day has 24. Queued ones count too: an account may have 150 or more at a time, by its region
#: (Amazon Athena User Guide, service quotas).
QUERIES_AT_A_TIME = 8
_ASK_SECONDS = 2.0
_OVER = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_LONGEST_ROW = 64 * 1024
_TOO_MANY = "TooManyRequestsException"
#: Times in a row that Athena may not say how a query is.
_MOST_UNANSWERED = 30


class AuditQueryError(PipelineError):
    """Athena does not take a query, or its answer is not what it should be."""


class QueryEnd(NamedTuple):
    """A query that is over.

    Parameters
    ----------
    name : str
        What the query was called here.
    failure : str
        Why it failed, if it did.
    results : str
        The key of its answer.
    scanned : int
        Bytes, as they are billed but for the rounding up to 10 MB.
    """

    name: str
    failure: str
    results: str
    scanned: int


@dataclass(frozen=True)
class AthenaWorkgroup:
    """Where queries run, and where their answers are.

    Parameters
    ----------
    bucket : str
        The archive's, in which the workgroup keeps the answers.
    wait : Callable[[float], None]
        Waits so many seconds.
    """

    athena: Queries
    objects: Objects
    workgroup: str
    database: str
    bucket: str
    wait: Callable[[float], None] = time.sleep

    def run(self, queries: Iterable[tuple[str, str]]) -> Iterator[QueryEnd]:
        """Run queries, each with a name, and return each as it ends.

        Queries that still run are stopped when the caller stops early.

        Raises
        ------
        AuditQueryError
            When Athena is out of reach, or refuses.
        """
        waiting = list(queries)[::-1]
        running: dict[str, str] = {}
        unanswered: Counter[str] = Counter()
        try:
            while waiting or running:
                while waiting and len(running) < QUERIES_AT_A_TIME:
                    started = self._start(waiting[-1][1], alone=not running)
                    if started is None:
                        break
                    running[started] = waiting.pop()[0]
                for found in self._over(running, unanswered):
                    yield self._ended(running.pop(str(found["QueryExecutionId"])), found)
                if running:
                    self.wait(_ASK_SECONDS)
        finally:
            for query in running:
                # What is not stopped ends by itself, and is billed.
                with suppress(BotoCoreError, ClientError):
                    self.athena.stop_query_execution(QueryExecutionId=query)

    def rows(self, end: QueryEnd) -> Iterator[Mapping[str, str]]:
        """Return the rows of an answer, in constant memory.

        Raises
        ------
        AuditQueryError
            When it is not as Athena writes it: cut off, or no text.
        PipelineError
            When it cannot be read.
        """
        lines = (text for _, text in split_lines(self.objects.chunks(end.results), _LONGEST_ROW))
        try:
            yield from csv.DictReader(map(_text, lines), strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            raise AuditQueryError(f"{end.results}: no answer of Athena: {error}") from None

    def _start(self, query: str, *, alone: bool) -> str | None:
        try:
            answer = self.athena.start_query_execution(
                QueryString=query,
                WorkGroup=self.workgroup,
                QueryExecutionContext={"Database": self.database},
            )
        except (BotoCoreError, ClientError) as error:
            busy = isinstance(error, ClientError) and error.response["Error"]["Code"] == _TOO_MANY
            if busy and not alone:
                return None  # When one of the others has ended, there is room.
            raise AuditQueryError(
                f"{self.workgroup}: {error}; docs/athena.md has the permissions of who queries"
            ) from None
        return str(answer["QueryExecutionId"])

    def _over(
        self, running: Mapping[str, str], unanswered: Counter[str]
    ) -> list[Mapping[str, Any]]:
        try:
            answer = self.athena.batch_get_query_execution(QueryExecutionIds=list(running))
        except (BotoCoreError, ClientError) as error:
            raise AuditQueryError(f"{self.workgroup}: {error}") from None
        silent = answer.get("UnprocessedQueryExecutionIds", [])
        for query in set(unanswered) - {one["QueryExecutionId"] for one in silent}:
            del unanswered[query]
        for one in silent:
            unanswered[one["QueryExecutionId"]] += 1
            if unanswered[one["QueryExecutionId"]] >= _MOST_UNANSWERED:
                why = f"{one.get('ErrorCode', '')}: {one.get('ErrorMessage', 'no reason')}"
                raise AuditQueryError(
                    f"{self.workgroup}: Athena does not say how its query "
                    f"{one['QueryExecutionId']} is: {why[:500]}"
                )
        return [one for one in answer["QueryExecutions"] if one["Status"]["State"] in _OVER]

    def _ended(self, name: str, found: Mapping[str, Any]) -> QueryEnd:
        status = found["Status"]
        place = str(found["ResultConfiguration"]["OutputLocation"])
        key = place.removeprefix(f"s3://{self.bucket}/")
        failure = ""
        if status["State"] != "SUCCEEDED":
            failure = f"{status['State'].lower()}: {status.get('StateChangeReason', 'no reason')}"
        elif not key.startswith(QUERY_RESULTS_PREFIX):
            failure = f"its answer is in {place}, not in the archive's bucket"
        scanned = int(found.get("Statistics", {}).get("DataScannedInBytes", 0))
        return QueryEnd(name, failure[:500], key, scanned)


def _text(line: bytes | None) -> str:
    if line is None:
        raise csv.Error("a row is too long")
    return line.decode("ascii")
