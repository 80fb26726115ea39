"""The Glue tables, the Athena workgroup, and the queries that the documentation gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.ledger import describe_outcome
from pipeline.archive.lines import describe, describe_rejection
from pipeline.event.envelope import Envelope, decode_envelope, encode_envelope
from pipeline.event.events import Record, rejected
from pipeline.event.outcomes import Reason
from tests.support.bench import NOW_MS, Bench, generic, record

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from tests.infra.conftest import Synthesized

DOCS = Path(__file__).parents[3] / "docs" / "athena.md"
QUERIES = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
TABLES = ("raw", "rejected", "quarantine", "ledger")
SQL = """
select from where and as order by group having left join on between limit desc is null interval hour
count distinct min max coalesce element_at split_part from_iso8601_timestamp current_timestamp
"""


def tables(stack: Synthesized) -> dict[str, dict[str, Any]]:
    found = stack.all("AWS::Glue::Table").values()
    return {table["TableInput"]["Name"]: table["TableInput"] for table in found}


def table_parameters(stack: Synthesized) -> dict[str, dict[str, Any]]:
    """Return each table's properties."""
    return {name: table["Parameters"] for name, table in tables(stack).items()}


def columns(table: dict[str, Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}


def partitions(table: dict[str, Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table["PartitionKeys"]}


def lines(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    """Return lines as the archive writes them, of each form that there is."""
    body = b'{"data":{"events":[{"uuid":7},{"uuid":8}]}}'
    wanted = Envelope("r", NOW_MS, "okta", "", body, replay="job", replays=1, only="1")
    bench = Bench(catalog)
    bench.run(record(encode_envelope(wanted)))
    events = [
        Record("1", "shard", 1.0, data, envelope=decode_envelope(data))
        for data in (generic({}), generic(b"\xff"))
    ]
    events.append(Record("2", "shard", 1.0, b"no envelope"))
    outcomes = [rejected(event, Reason.INVALID_JSON, "why") for event in events]
    rejections = [describe_rejection(outcome) for outcome in outcomes]
    return {
        "raw": [
            describe(event) for event in [*events, Record("3", "shard", 1.0, b"", envelope=wanted)]
        ],
        "rejected": rejections + bench.s3.lines("rejected/"),
        "quarantine": rejections + bench.s3.lines("rejected/"),
        "ledger": [
            *(describe_outcome(outcome) for outcome in outcomes),
            *bench.s3.lines("ledger/"),
        ],
    }


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_those_of_the_lines(stack: Synthesized, catalog: Catalog, name: str) -> None:
    table = tables(stack)[name]
    written = {key for line in lines(catalog)[name] for key in line}
    assert written == columns(table).keys() | (partitions(table).keys() & {"source"})
    # Athena refuses a table that has a column twice.
    assert not columns(table).keys() & partitions(table).keys()


@pytest.mark.parametrize("name", TABLES)
def test_types_are_those_of_the_lines(stack: Synthesized, catalog: Catalog, name: str) -> None:
    types = columns(tables(stack)[name])
    hive = {
        bool: {"boolean"}, str: {"string"}, int: {"int", "bigint"}, dict: {"map<string,string>"},
    }  # fmt: skip
    for line in lines(catalog)[name]:
        for key in line.keys() & types.keys():
            kind = next(kind for kind in hive if isinstance(line[key], kind))
            assert types[key] in hive[kind], key
    # Milliseconds since the epoch do not fit 32 bits.
    assert types.get("envelope_ts", "bigint") == "bigint"


@pytest.mark.parametrize("name", TABLES)
def test_tables_read_compressed_json_lines(stack: Synthesized, name: str) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    table = tables(stack)[name]
    storage = table["StorageDescriptor"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["EXTERNAL"] == "TRUE"
    assert storage["Location"] == {"Fn::Join": ["", ["s3://", {"Ref": bucket}, f"/{name}/"]]}
    assert storage["SerdeInfo"]["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert storage["InputFormat"] == "org.apache.hadoop.mapred.TextInputFormat"
    assert storage["Compressed"] is True


@pytest.mark.parametrize(
    ("name", "days"), [("raw", 401), ("rejected", 401), ("quarantine", 31), ("ledger", 401)]
)
def test_partitions_are_projected(stack: Synthesized, name: str, days: int) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    table = tables(stack)[name]
    hours = {"dt": "string", "hr": "int"}
    by_source = name != "ledger"
    assert partitions(table) == ({"source": "string", **hours} if by_source else hours)
    sources = {
        "projection.source.type": "enum",
        "projection.source.values": "_unknown,alarms,generic,github",
    }
    path = "source=${source}/dt=${dt}/hr=${hr}/" if by_source else "dt=${dt}/hr=${hr}/"
    parameters = table["Parameters"]
    assert {key: value for key, value in parameters.items() if "projection" in key} == {
        "projection.enabled": "true",
        **(sources if by_source else {}),
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"NOW-{days}DAYS,NOW+1DAYS",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "projection.hr.type": "integer",
        "projection.hr.range": "0,23",
        "projection.hr.digits": "2",
    }
    assert parameters["storage.location.template"] == {
        "Fn::Join": ["", ["s3://", {"Ref": bucket}, f"/{name}/{path}"]]
    }


def test_the_database_has_a_name_that_needs_no_quotes(stack: Synthesized) -> None:
    database_id, database = stack.one("AWS::Glue::Database")
    assert database["DatabaseInput"]["Name"] == "mozdef_ef_ingest_test"
    for table in stack.all("AWS::Glue::Table").values():
        assert table["DatabaseName"] == {"Ref": database_id}
    assert set(tables(stack)) == set(TABLES)


def test_the_workgroup_decides_where_results_go(stack: Synthesized) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, workgroup = stack.one("AWS::Athena::WorkGroup")
    settings = workgroup["WorkGroupConfiguration"]
    assert workgroup["Name"] == "MozDef-EF-ingest-test"
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert settings["BytesScannedCutoffPerQuery"] == 2**40
    key = {"Fn::GetAtt": [stack.one("AWS::KMS::Key", "Encryption")[0], "Arn"]}
    assert settings["ResultConfiguration"] == {
        "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key},
        "OutputLocation": {"Fn::Join": ["", ["s3://", {"Ref": bucket}, "/athena-results/"]]},
    }


def test_results_end_and_so_does_what_they_were_before(stack: Synthesized) -> None:
    _, bucket = stack.one("AWS::S3::Bucket")
    rules = [each for each in bucket["LifecycleConfiguration"]["Rules"]
             if each.get("Prefix") == "athena-results/"]  # fmt: skip
    (rule,) = rules
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 7)
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def names(query: str) -> set[str]:
    """Return the columns that a query names, each with the table before it where it says one."""
    text = re.sub(r"'[^']*'", "''", query)
    aliases = set(re.findall(r"\bAS (\w+)", text))
    words = set(re.findall(r"\b(?:\w+\.)?[A-Za-z_]\w*\b", text))
    known = {*SQL.split(), *TABLES, *aliases}
    return {word for word in words if word.lower() not in known}


def test_the_check_of_names_finds_a_wrong_one() -> None:
    query = "SELECT raw.id, nonsense AS n FROM raw WHERE source = 'x' ORDER BY n"
    assert names(query) == {"raw.id", "nonsense", "source"}


@pytest.mark.parametrize("query", QUERIES)
def test_documented_queries_name_columns_that_exist(stack: Synthesized, query: str) -> None:
    known = {name: {*columns(t), *partitions(t)} for name, t in tables(stack).items()}
    used = re.findall(r"\b(?:FROM|JOIN) (\w+)", query)
    assert used
    for name in names(query):
        table, _, column = name.rpartition(".")
        if table:
            assert table in used
            assert column in known[table], name
        else:
            assert len(used) == 1, f"{name}: of which table?"
            assert name in known[used[0]], name
    assert query.count("(") == query.count(")")
    assert query.count("'") % 2 == 0
    assert query.endswith(";\n")


@pytest.mark.parametrize("query", QUERIES)
def test_documented_queries_read_the_days_that_they_name(query: str) -> None:
    tables_used = re.findall(r"\b(?:FROM|JOIN) (\w+)", query)
    for table in tables_used:
        column = "dt" if len(tables_used) == 1 else f"{table}.dt"
        assert re.search(rf"\b{re.escape(column)} (= '|BETWEEN ')", query), table


def test_the_documentation_has_a_query_for_each_question() -> None:
    assert len(QUERIES) >= 8
    text = "\n".join(QUERIES)
    assert {f"FROM {name}" for name in TABLES} <= set(re.findall(r"FROM \w+", text))
