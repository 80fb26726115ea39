"""What is made of bodies that are no JSON text, against other programs that write them."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import urllib3
import yaml
from pydantic import ValidationError

from pipeline.event.json_text import BodyError
from settings.source.compiler import json_of
from settings.source.model import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

#: As Cloudflare's documentation has them (developers.cloudflare.com/logs/logpush).
LINES = b'{"RayID":"8a1","EdgeResponseStatus":403}\n{"RayID":"8a2","EdgeResponseStatus":200}\n'
#: The structure of Salesforce's page on outbound messages (sforce_api_om_outboundmessaging).
OUTBOUND = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D000000000001</OrganizationId>
   <SessionId xsi:nil="true"/>
   <Notification>
    <Id>04l000000000001</Id>
    <sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
     <sf:Id>500000000000001</sf:Id><sf:Subject>Gr\xc3\xb6\xc3\x9fe &amp; more</sf:Subject>
    </sObject>
   </Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"""


def source_with(body: Mapping[str, Any] | None, **more: Any) -> Source:
    settings: dict[str, Any] = {"version": 1, "title": "t", "body": body}
    settings["authentication"] = {"type": "token", "header": "X-Token"}
    if body and body.get("format") == "ndjson":
        settings["split"] = {"path": "."}
    return Source.model_validate({**settings, **more})


def read(body: bytes, **settings: Any) -> Any:
    return json.loads(json_of(source_with(settings), body))


def refusal(body: bytes, **settings: Any) -> str:
    with pytest.raises(BodyError) as caught:
        json_of(source_with(settings), body)
    return str(caught.value)


def test_lines_are_a_list_with_their_bytes() -> None:
    source = source_with({"format": "ndjson"})
    made = json_of(source, b'{"a": 1.50}\r\n\n {"b":12345678901234567890}')
    assert made == b'[{"a": 1.50},{"b":12345678901234567890}]'
    assert json.loads(json_of(source, LINES)) == [json.loads(line) for line in LINES.splitlines()]


def test_a_list_in_the_place_of_lines_stays() -> None:
    assert read(b' [{"a":1},{"b":2}]', format="ndjson") == [{"a": 1}, {"b": 2}]


def test_a_broken_line_takes_no_other_with_it() -> None:
    body = b'{"a":1}\n{"b":[\n2]}\n1,2\n{"c":"}\n{"d":4}\n\xff'
    texts = [{"a": 1}, '{"b":[', "2]}", "1,2", '{"c":"}', {"d": 4}, "�"]
    assert read(body, format="ndjson") == texts


def test_gzip_is_known_by_its_bytes() -> None:
    assert read(gzip.compress(LINES), format="ndjson") == read(LINES, format="ndjson")
    assert read(gzip.compress(b'{"a":1}')) == {"a": 1}


def test_a_form_is_an_object_of_texts() -> None:
    fields = {"MessageSid": "SM1", "From": "+15550100", "Body": "Grüße & 1=1", "NumMedia": ""}
    assert read(urlencode(fields).encode(), format="form") == fields
    body = urlencode([("a", "1"), ("b", "2"), ("b", "3")]).encode()
    assert read(body, format="form", lists=["a", "b"]) == {"a": ["1"], "b": ["2", "3"]}


@pytest.mark.parametrize("boundary", [None, "----WebKitFormBoundary7MA4YWxkTrZu0gW"])
def test_a_multipart_form_is_the_same_object(boundary: str | None) -> None:
    fields = {"json": '{"event": {"event_type": "größe"}}', "text": "--x\r\n--", "empty": ""}
    body, _ = urllib3.encode_multipart_formdata(fields, boundary)
    assert read(body, format="multipart") == fields


def test_files_of_a_multipart_form_are_left_out() -> None:
    files: dict[str, Any] = {"json": "{}", "thumb": ("cover.jpg", b"\xff\xd8\x00", "image/jpeg")}
    body, _ = urllib3.encode_multipart_formdata(files)
    assert read(body, format="multipart") == {"json": "{}"}


def test_xml_is_an_object() -> None:
    assert read(OUTBOUND, format="xml", event="Envelope.Body.notifications") == {
        "OrganizationId": "00D000000000001",
        "SessionId": {"@nil": "true"},
        "Notification": {
            "Id": "04l000000000001",
            "sObject": {
                "@type": "sf:Case",
                "Id": "500000000000001",
                "Subject": "Größe & more",
            },
        },
    }
    listed = read(OUTBOUND, format="xml", lists=["Notification"])
    assert len(listed["Envelope"]["Body"]["notifications"]["Notification"]) == 1
    body = b"<a><b/><b x='1'>text<!-- no --></b><c> \n</c><d><![CDATA[<&]]></d></a>"
    assert read(body, format="xml") == {
        "a": {"b": [None, {"@x": "1", "#text": "text"}], "c": None, "d": "<&"}
    }


def test_json_in_a_text_takes_its_place_byte_for_byte() -> None:
    inner = b'{"n": 1.10, "s": "\\u00fc"}'
    outer = b'{"message": {"data": "%s", "messageId": "7"}}' % base64.b64encode(inner)
    source = source_with({"unwrap": [{"path": "message.data", "encoding": "base64"}]})
    assert json_of(source, outer) == b'{"message": {"data": %s, "messageId": "7"}}' % inner
    broken = base64.encodebytes(inner).replace(b"\n", b"\\n")
    assert b"\\n" in broken
    assert json_of(source, b'{"message": {"data": "%s"}}' % broken) == (
        b'{"message": {"data": %s}}' % inner
    )
    packed = b'{"message": {"data": "%s"}}' % base64.b64encode(gzip.compress(inner))
    assert json_of(source, packed) == b'{"message": {"data": %s}}' % inner


def test_a_text_within_an_unwrapped_text_and_in_lists() -> None:
    body = json.dumps({"records": [{"m": json.dumps({"d": json.dumps({"a": n})})} for n in (1, 2)]})
    steps = [{"path": "records.m"}, {"path": "records.m.d"}]
    assert read(body.encode(), unwrap=steps) == {
        "records": [{"m": {"d": {"a": 1}}}, {"m": {"d": {"a": 2}}}]
    }


def test_a_field_of_a_form_can_be_the_event() -> None:
    event = {"id": 1, "text": "ü"}
    body = urlencode({"payload": json.dumps(event), "other": "x"}).encode()
    assert read(body, format="form", unwrap=[{"path": "payload"}], event="payload") == event
    xml = base64.b64encode(b"<n><kind>check</kind></n>").decode()
    body = urlencode({"bt_signature": "k|00", "bt_payload": xml}).encode()
    steps = [{"path": "bt_payload", "encoding": "base64", "format": "xml"}]
    assert read(body, format="form", unwrap=steps, event="bt_payload.n") == {"kind": "check"}


def test_a_text_without_json_is_kept_where_that_is_allowed() -> None:
    body = b'{"Message": "ALARM: disk", "data": "not*base64"}'
    keep = {"path": "Message", "otherwise": "keep"}
    assert read(body, unwrap=[keep]) == json.loads(body)
    assert refusal(body, unwrap=[{"path": "Message"}]).startswith("Message: ")
    steps = [{"path": "data", "encoding": "base64"}]
    assert refusal(body, unwrap=steps).startswith("data: ")
    # What is no text is none: the sender may write the object itself.
    assert read(b'{"Message": {"a": 1}}', unwrap=[{"path": "Message"}]) == {"Message": {"a": 1}}


def test_the_settings_on_the_page_are_settings() -> None:
    text = (Path(__file__).parents[3] / "docs" / "source-bodies.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        more = yaml.safe_load(block)
        keep = ["X-Goog-Resource-State", "X-Twilio-Signature"]
        source = source_with(more.pop("body", None), **more, headers={"keep": keep})
        assert source.body or source.skip or source.hmac


BOMB = gzip.compress(bytes(17 * 1_048_576))
ENTITIES = b'<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
EXTERNAL = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
TWO_BODIES = OUTBOUND.replace(b"</soapenv:Body>", b"</soapenv:Body><soapenv:Body/>")
PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
DEEP_TEXT = json.dumps({"a": "[" * 950 + "]" * 950}).encode()


@pytest.mark.parametrize(
    ("body", "settings", "wrong"),
    [
        (BOMB, {}, "gzip: more than"),
        (gzip.compress(gzip.compress(b"{}")), {}, "gzip: another"),
        (gzip.compress(b"{}")[:-3], {}, "gzip: the stream ends"),
        (gzip.compress(b"{}") * 2, {}, "gzip: bytes after"),
        (b"\x1f\x8b\x08nothing", {}, "gzip: "),
        (b" \n\r\n\t", {"format": "ndjson"}, "ndjson: no line"),
        (b"a=1&a=2", {"format": "form"}, "form: field 'a' comes twice"),
        (b"a=1&%61=2", {"format": "form"}, "form: field 'a' comes twice"),
        (b"a=%ff", {"format": "form"}, "form: "),
        (b'{"a":1}', {"format": "form"}, "form: "),
        (b"", {"format": "form"}, "form: no field"),
        (gzip.compress(b"a=" + b"%41" * 700_000), {"format": "form"}, "form: more than"),
        (
            b"&".join([b"a=1"] * 1001),
            {"format": "form", "lists": ["a"]},
            "form: more than 1,000 fields",
        ),
        (PART * 1001 + b"--x--\r\n", {"format": "multipart", "lists": ["a"]}, "multipart: "),
        (PART * 2 + b"--x--\r\n", {"format": "multipart"}, "form: field 'a' comes twice"),
        (PART, {"format": "multipart"}, "multipart: "),
        (b"preamble\r\n" + PART + b"--x--\r\n", {"format": "multipart"}, "multipart: it does"),
        (b"--" + b"x" * 71 + b"\r\n", {"format": "multipart"}, "multipart: it does"),
        (PART.replace(b"\r\n", b"\n") + b"--x--", {"format": "multipart"}, "multipart: it does"),
        (PART.replace(b"form-data", b"file") + b"--x--", {"format": "multipart"}, "multipart: "),
        (PART.replace(b"1\r", b"\xff\r") + b"--x--", {"format": "multipart"}, "multipart: "),
        (b"a=1", {"format": "multipart"}, "multipart: it does"),
        (ENTITIES, {"format": "xml"}, "xml: a document type"),
        (EXTERNAL, {"format": "xml"}, "xml: a document type"),
        (b"<!DOCTYPE a><a/>", {"format": "xml"}, "xml: a document type"),
        (b"<a>" * 101 + b"</a>" * 101, {"format": "xml"}, "xml: more than"),
        (b"<a>" + b"<b/>" * 100_000 + b"</a>", {"format": "xml"}, "xml: more than"),
        (
            b"<a xmlns:p='" + b"u" * 301 + b"'>" + b"<p:b/>" * 9 + b"</a>",
            {"format": "xml"},
            "xml: a namespace of more",
        ),
        (b"<a " + b"b=''" * 200_001 + b"/>", {"format": "xml"}, "xml: more than 200,000 attr"),
        (
            b"a=1&secret" * 9,
            {"format": "form"},
            "form: more than 1,000 fields, or one without an e",
        ),
        (b"<a/><a/>", {"format": "xml"}, "xml: "),
        (b"<a", {"format": "xml"}, "xml: "),
        (b"<?xml version='1.0' encoding='rot13'?><a/>", {"format": "xml"}, "xml: "),
        (b"<a xmlns:p='q' x='1' p:x='2'/>", {"format": "xml"}, "xml: two attributes"),
        (TWO_BODIES, {"format": "xml", "event": "Envelope.Body.notifications"}, "Envelope.Body.no"),
        (b'{"a":1,"a":2}', {"event": "a"}, "a (body.event): 2 values"),
        (b'{"b":1}', {"event": "a"}, "a (body.event): 0 values"),
        (b'{"a":[', {"event": "b"}, "what begins at byte"),
        (b'{"a" 1}', {"event": "b"}, "a key and a colon"),
        (b"", {"event": "a"}, "a (body.event): 0 values"),
        (DEEP_TEXT, {"unwrap": [{"path": "a"}]}, "a: nested more than 900"),
        (b"[" + b'{"a":"1"},' * 50_001 + b"0]", {"unwrap": [{"path": "a"}]}, "a: more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(body: bytes, settings: dict[str, Any], wrong: str) -> None:
    began = time.process_time()
    assert refusal(body, **settings).startswith(wrong)
    assert time.process_time() - began < 5


def test_all_that_is_decompressed_of_one_body_is_bounded_together() -> None:
    one = base64.b64encode(gzip.compress(b'"' + b"x" * 9_000_000 + b'"')).decode()
    steps = [{"path": "a", "encoding": "base64"}]
    assert len(json_of(source_with({"unwrap": steps}), json.dumps({"a": one}).encode())) > 9_000_000
    assert "gzip: more than" in refusal(json.dumps({"a": [one, one]}).encode(), unwrap=steps)


def test_a_bomb_is_not_unpacked_beyond_the_bound() -> None:
    bomb = gzip.compress(bytes(40 * 1_048_576), 1)
    tracemalloc.start()
    try:
        assert "gzip: more than" in refusal(bomb)
        assert tracemalloc.get_traced_memory()[1] < 36 * 1_048_576
    finally:
        tracemalloc.stop()


def test_a_million_empty_lines_cost_nothing() -> None:
    began = time.process_time()
    assert read(b"\n" * 3_000_000 + b" \r\n" * 300_000 + b"{}", format="ndjson") == [{}]
    assert time.process_time() - began < 1


def test_more_lines_than_a_request_may_have_are_not_read() -> None:
    assert len(read(b"1\n" * 60_000, format="ndjson")) == 50_001


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"body": {"format": "ndjson"}, "split": None}, "split"),
        ({"body": {"format": "ndjson", "event": "a"}}, "event"),
        ({"body": {"format": "json", "lists": ["a"]}}, "lists"),
        ({"body": {"event": "."}}, "event"),
        ({"body": {"unwrap": [{"path": "."}]}}, "path"),
        ({"skip": [{"header": "X-State", "equals": "sync"}]}, "headers.keep"),
        ({"skip": [{"path": "a"}]}, "equals"),
        ({"skip": [{"path": ".", "equals": "a"}]}, "name a field"),
        ({"skip": [{"header": "A", "path": "a", "equals": "b"}]}, "either"),
        ({"skip": [{"header": "A", "empty": True}]}, "is for a path"),
        ({"content_types": ["application/x-www-form-urlencoded"], "body": None}, "form_field"),
        ({"form_field": "payload", "body": {"format": "form"}}, "form_field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        source_with(**{"body": {"format": "json"}, **more})
    assert fault in str(caught.value)
