"""Athena in the place of which DuckDB runs: over the template's own tables, on objects of a bucket.

What this does not prove of Athena: that Trino's types and reserved words are DuckDB's, that its
reader of JSON is, that partition projection finds the folders, and what a query costs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from tests.support.fakes import client_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.replay import FakeArchive

BUCKET = "archive"
_TYPES = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "int": "INTEGER",
    "boolean": "BOOLEAN",
    "map<string,string>": "MAP(VARCHAR, VARCHAR)",
}
#: Trino's functions that DuckDB has under another name, or not.
_MACROS = (
    "CREATE MACRO from_iso8601_timestamp(text) AS CAST(text AS TIMESTAMPTZ)",
    "CREATE MACRO regexp_like(text, pattern) AS regexp_matches(text, pattern)",
)


class FakeAthena:
    """Runs each query when it is asked about, and writes its answer as Athena does.

    Parameters
    ----------
    tables : Mapping[str, Any]
        `TableInput` of the template's tables, by name.
    folder : Path
        Where the bucket's objects go, for DuckDB to read.
    """

    def __init__(self, tables: Mapping[str, Any], s3: FakeArchive, folder: Path) -> None:
        self._s3 = s3
        self.texts: dict[str, str] = {}
        self.stopped: list[str] = []
        self.room = 100
        self.broken = ""
        self.running: set[str] = set()
        #: How often it does not say how a query is.
        self.silent: dict[str, int] = {}
        self.results = f"s3://{BUCKET}/athena-results/"
        for key, data in s3.objects.items():
            file = folder / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        self._database = duckdb.connect()
        for statement in (*_MACROS, "SET TimeZone = 'UTC'", "SET threads = 1"):
            self._database.execute(statement)
        for name in ("raw", "ledger"):
            self._view(name, tables[name], folder)

    def _view(self, name: str, table: Mapping[str, Any], folder: Path) -> None:
        columns = {one["Name"]: _TYPES[one["Type"]]
                   for one in table["StorageDescriptor"]["Columns"]}  # fmt: skip
        keys = {one["Name"]: _TYPES[one["Type"]] for one in table["PartitionKeys"]}
        template = table["Parameters"]["storage.location.template"]["Fn::Join"][1][-1]
        pattern = re.sub(r"\$\{\w+\}", "*", template).lstrip("/")
        of_hive = ", ".join(f"'{key}': {kind}" for key, kind in keys.items())
        of_json = ", ".join(f"'{key}': '{kind}'" for key, kind in columns.items())
        chosen = ", ".join(f'"{name}"' for name in (*columns, *keys))
        self._database.execute(
            f"CREATE VIEW {name} AS SELECT {chosen}, "
            f"replace(filename, '{folder}/', 's3://{BUCKET}/') AS \"$path\" "
            f"FROM read_json('{folder}/{pattern}*.jsonl.gz', format = 'newline_delimited', "
            f"compression = 'gzip', columns = {{{of_json}}}, filename = true, "
            f"hive_partitioning = true, hive_types = {{{of_hive}}})"
        )

    def start_query_execution(
        self, *, QueryString: str, WorkGroup: str, QueryExecutionContext: Mapping[str, str]
    ) -> dict[str, str]:
        assert (WorkGroup, QueryExecutionContext) == ("group", {"Database": "base"})
        assert len(QueryString.encode()) <= 262_144
        if len(self.running) >= self.room:
            raise client_error("TooManyRequestsException", "StartQueryExecution")
        name = f"query-{len(self.texts)}"
        self.texts[name] = QueryString
        self.running.add(name)
        return {"QueryExecutionId": name}

    def batch_get_query_execution(self, *, QueryExecutionIds: Sequence[str]) -> dict[str, Any]:
        assert 0 < len(QueryExecutionIds) <= 50
        silent = [name for name in QueryExecutionIds if self.silent.get(name)]
        for name in silent:
            self.silent[name] -= 1
        return {
            "QueryExecutions": [
                self._asked(name) for name in QueryExecutionIds if name not in silent
            ],
            "UnprocessedQueryExecutionIds": [
                {"QueryExecutionId": name, "ErrorCode": "INTERNAL", "ErrorMessage": "not now"}
                for name in silent
            ],
        }

    def stop_query_execution(self, *, QueryExecutionId: str) -> dict[str, str]:
        self.stopped.append(QueryExecutionId)
        return {}

    def _asked(self, name: str) -> dict[str, Any]:
        place = f"{self.results}{name}.csv"
        status: dict[str, Any] = {"State": "SUCCEEDED"}
        if self.broken and self.broken in self.texts[name]:
            status = {"State": "FAILED", "StateChangeReason": "HIVE_CURSOR_ERROR"}
        else:
            self._s3.objects[place.removeprefix(f"s3://{BUCKET}/")] = self._answer(name)
        self.running.discard(name)
        return {
            "QueryExecutionId": name,
            "Status": status,
            "Statistics": {"DataScannedInBytes": 1_000},
            "ResultConfiguration": {"OutputLocation": place},
        }

    def _answer(self, name: str) -> bytes:
        found = self._database.execute(self.texts[name])
        rows = [[one[0] for one in found.description or []], *found.fetchall()]
        return "".join(",".join(map(_field, row)) + "\n" for row in rows).encode()


def _field(value: object) -> str:
    """Quote a value as Athena's answers do: all but what is null."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"'
