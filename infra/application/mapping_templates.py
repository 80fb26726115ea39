"""The mapping templates (VTL) between the sender, API Gateway and Kinesis, as plain text.

Only what Apache Velocity 1.7 and API Gateway both document is used: `#set`, `#foreach`, `#if`,
string and map methods of Java, `$input.params()`, `$context` and `$util`. Nothing that a sender
wrote is evaluated: values are assigned, URL-encoded and printed, and Velocity does not parse what
a reference prints.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.aws.limits import PARTITION_KEY_CHARACTERS, RECORD_TOO_LARGE_ERRORS
from pipeline.event.envelope import KEY_PREFIX_CHARACTERS, REPLAY_ROOM
from pipeline.event.pseudo_headers import METHOD, QUERY, URL

if TYPE_CHECKING:
    from collections.abc import Sequence


def put_record_request(
    *,
    source: str,
    stream_name: str,
    keep: Sequence[str],
    delivery_id: str | None,
    key_prefix: str = "",
    keyed: bool = True,
    required: Sequence[str] = (),
    largest_record: int = 0,
    scheme: str = "",
    pseudo_headers: Sequence[str] = (),
    url: str = "",
) -> str:
    """Return the request template: the sender's request to a PutRecord call with one envelope.

    Parameters
    ----------
    stream_name : str
        The stream's name, or the reference that CloudFormation resolves to it.
    delivery_id : str or None
        The header that carries the sender's delivery id, if there is one; one of `keep`.
    key_prefix : str
        What stands before it in the partition key: a text that no stranger knows, at most
        `KEY_PREFIX_CHARACTERS` long. Kinesis takes the MD5 of the whole, so without it nobody can
        tell, or choose, which shard an id belongs to.
    keyed : bool
        Whether the delivery id is the partition key; else the request's own id is.
    required : Sequence[str]
        Headers that must be there, in any case, and not be empty.
    largest_record : int
        The bytes that one record of the stream may have; 0 to leave that to Kinesis alone.
    scheme : str
        What `Authorization` begins with where it holds a signature: letters, digits, `-`, `=` and
        a space. Of another value, which may be somebody's secret, the envelope has only that it
        was there.
    pseudo_headers : Sequence[str]
        What travels beside the headers; `pipeline.event.pseudo_headers` has the names.
    url : str
        The address that the sender was given, or what CloudFormation makes it of; URL-encoded.

    Returns
    -------
    str
        VTL.

    Notes
    -----
    - `$input.params('x')` looks into path and query before the headers, so that a query could
      shadow a signature; and header names keep the sender's case, which is lower for HTTP/2 and
      arbitrary before. Hence the loop over the headers alone (API Gateway Developer Guide, mapping
      template reference, `$input` variables).
    - With `CONVERT_TO_TEXT`, `$input.body` is the base64 of the exact bytes; for an empty body it
      is `{}` (recorded from API Gateway), which is left out.
    - The spaces at the end of the line keep room for the mark of a replay: Kinesis refuses here
      what could not be put again with it.
    - A prefix whose length divides by three has no base64 padding, so the two base64 texts join
      into the base64 of envelope line and body. URL-encoded text is ASCII: one character, one byte.
    - `$util.urlEncode` needs a string, and `requestTimeEpoch` is a number: printed as it is.
    - `$context.requestId` can be set by the caller; `extendedRequestId` cannot.
    - Whether API Gateway's own validator finds a header in another case is not established, so it
      is asked for none. Where one is missing, what is rendered is no JSON: Kinesis takes nothing
      and says `SerializationException`, of which `refused_response` makes the 400.
    - Of a body that no record can hold, nothing goes to Kinesis but a call with an empty partition
      key. That is a `ValidationException`, as a record is that is too large, and so the 413. Else a
      body of 7.5 to 10 MB would make a call of more than 10 MB: whether API Gateway makes it is not
      established, and the sender would be told to send it again for ever.
    """
    metadata = (
        "v=1&id=$util.urlEncode($context.extendedRequestId)&ts=$context.requestTimeEpoch"
        f"&source={source}&ip=$util.urlEncode($context.identity.sourceIp)"
    )
    outside = _outside(required, keep)
    queried = [name for name in pseudo_headers if name.startswith(QUERY)]
    beside = _beside(pseudo_headers, url) + "$queried" * bool(queried)
    data = '$head#if($input.body != "{}")$!input.body#end'
    lines = [
        '#set($key = "")',
        '#set($kept = "")',
        "#set($partitionKey = $context.extendedRequestId)",
        *(['#set($given = ",")'] if outside else []),
        *_pick_headers(keep, delivery_id, key_prefix, scheme, keyed=keyed, outside=outside),
        *_pick_parameters(queried),
        f'#set($line = "{metadata}$key$kept{beside}{" " * REPLAY_ROOM}")',
        "#set($over = $line.length() % 3)",
        '#if($over == 0)#set($line = "$line  ")#end',
        '#if($over == 1)#set($line = "$line ")#end',
        '#set($newline = $util.urlDecode("%0A"))',
        '#set($head = $util.base64Encode("$line$newline"))',
        *_unless_missing(required, keep, _unless_too_large(largest_record, stream_name, data)),
    ]
    return "\n".join(lines)


def _beside(names: Sequence[str], url: str) -> str:
    values = {METHOD: "$context.httpMethod", URL: url}
    return "".join([f"&p.{name[1:]}={value}" for name, value in values.items() if name in names])


def _pick_parameters(names: Sequence[str]) -> list[str]:
    """Pick these parameters of the query, whose names are texts without a quote or a dollar."""
    if not names:
        return []
    wanted = [
        f'#if($name == "{name.removeprefix(QUERY)}")'
        f'#set($queried = "$queried&p.{name[1:]}=$util.urlEncode($query.get($name))")#end'
        for name in names
    ]
    return [
        '#set($queried = "")',
        "#set($query = $input.params().querystring)",
        "#foreach($name in $query.keySet())",
        *wanted,
        "#end",
    ]


def _unless_too_large(largest_record: int, stream_name: str, data: str) -> list[str]:
    def call(key: str, data: str) -> str:
        return f'{{"StreamName":"{stream_name}","PartitionKey":"{key}","Data":"{data}"}}'

    if not largest_record:
        return [call("$partitionKey", data)]
    most = -(-largest_record // 3) * 4  # in base64
    return [
        '#set($body = "$!input.body")',
        f"#if($body.length() > {most})",
        call("", ""),
        "#else",
        call("$partitionKey", data),
        "#end",
    ]


def _unless_missing(required: Sequence[str], keep: Sequence[str], call: Sequence[str]) -> list[str]:
    if not required:
        return list(call)
    outside = _outside(required, keep)
    missing = []
    for name in map(str.lower, required):
        if name in outside:
            missing.append(f'!$given.contains(",{name},")')
        else:
            missing += [f'!$ended.contains("&h.{name}=")', f'$ended.contains("&h.{name}=&")']
    return [
        '#set($ended = "$kept&")',
        f"#if({' || '.join(missing)})",
        "a required header is missing",
        "#else",
        *call,
        "#end",
    ]


def _outside(required: Sequence[str], keep: Sequence[str]) -> list[str]:
    """Return the required headers that do not travel, of which those that carry a secret are."""
    kept = {name.lower() for name in keep}
    return [name.lower() for name in required if name.lower() not in kept]


def _names(headers: Sequence[str]) -> str:
    """Return the names in a text in which each is found with its commas."""
    return ",".join(["", *sorted({name.lower() for name in headers}), ""])


def _pick_headers(
    keep: Sequence[str],
    delivery_id: str | None,
    key_prefix: str,
    scheme: str,
    *,
    keyed: bool,
    outside: Sequence[str],
) -> list[str]:
    """Pick the headers in one pass; the first of two that differ in case alone is taken."""
    if not keep and not outside:
        return []
    note = '#if($required.contains(",$lower,") && $headers.get($name).length() > 0)'
    lines = [
        f'#set($keep = "{_names(keep)}")',
        *([f'#set($required = "{_names(outside)}")'] if outside else []),
        "#set($headers = $input.params().header)",
        "#foreach($name in $headers.keySet())",
        "#set($lower = $name.toLowerCase())",
        *([f'{note}#set($given = "$given$lower,")#end'] if outside else []),
        '#if($keep.contains(",$lower,") && !$kept.contains("&h.$lower="))',
        "#set($value = $util.urlEncode($headers.get($name)))",
        *([_unless_scheme(scheme)] if scheme else []),
        '#set($kept = "$kept&h.$util.urlEncode($lower)=$value")',
    ]
    if delivery_id:
        longest = PARTITION_KEY_CHARACTERS - (KEY_PREFIX_CHARACTERS if key_prefix else 0)
        key = f'#if($value.length() <= {longest})#set($partitionKey = "{key_prefix}$value")#end'
        lines += [
            f'#if($lower == "{delivery_id.lower()}" && $value.length() > 0)',
            '#set($key = "&key=$value")',
            *[key] * keyed,
            "#end",
        ]
    return [*lines, "#end", "#end"]


def _unless_scheme(scheme: str) -> str:
    other = f'$lower == "authorization" && !$headers.get($name).startsWith("{scheme}")'
    return f'#if({other})#set($value = "")#end'


def accepted_response() -> str:
    """Return the response template for a record that Kinesis took."""
    return '{"status":"accepted","id":"$context.extendedRequestId"}'


def refused_response(required: Sequence[str] = ()) -> str:
    """Return the response template for everything else that Kinesis can answer.

    Parameters
    ----------
    required : Sequence[str]
        The headers that `put_record_request` requires.

    The status is 503 unless the template overrides it: Kinesis throttles with 400, as it refuses a
    record that is too large with 400, so only the name of the error tells the two apart. With
    `CONVERT_TO_TEXT` the answer is base64 here; plain JSON is understood too.

    Returns
    -------
    str
        VTL.
    """
    too_large = " || ".join(f'$reason.contains("{name}")' for name in RECORD_TOO_LARGE_ERRORS)
    return "\n".join(
        [
            '#set($reason = "$!input.body")',
            '#if(!$reason.startsWith("{"))#set($reason = $util.base64Decode($reason))#end',
            *_missing_response(required),
            f"#if({too_large})",
            "#set($context.responseOverride.status = 413)",
            error_body("too_large", "The event is larger than one record of the stream may be."),
            "#else",
            error_body("unavailable", "The event was not taken. Send it again."),
            "#end",
            *["#end"] * bool(required),
        ]
    )


def _missing_response(required: Sequence[str]) -> list[str]:
    if not required:
        return []
    what = "A required header is" if len(required) == 1 else "One or more required headers are"
    return [
        '#if($reason.contains("SerializationException"))',
        "#set($context.responseOverride.status = 400)",
        error_body("bad_request", f"{what} missing: {', '.join(required)}."),
        "#else",
    ]


def handshake_response(*, header: str, field: str) -> str:
    """Return the response template of a handshake by GET: a header's value in a JSON object.

    Returns
    -------
    str
        VTL.

    Notes
    -----
    - The header is looked up as in `put_record_request`, and for the same reasons.
    - `$util.escapeJavaScript` makes of a single quote what no JSON string may hold; what it adds is
      taken away again as AWS documents it (API Gateway Developer Guide, mapping template
      reference). A backslash of the sender's own is doubled before, so none is taken from it.
    """
    lines = [
        '#set($challenge = "")',
        "#set($headers = $input.params().header)",
        "#foreach($name in $headers.keySet())",
        f'#if($name.toLowerCase() == "{header.lower()}" && $challenge == "")',
        "#set($challenge = $headers.get($name))",
        "#end",
        "#end",
        '#if($challenge == "")',
        "#set($context.responseOverride.status = 400)",
        error_body("bad_request", f"The header {header} is missing."),
        "#else",
        r"""#set($value = $util.escapeJavaScript($challenge).replaceAll("\\'","'"))""",
        f'{{"{field}":"$value"}}',
        "#end",
    ]
    return "\n".join(lines)


def error_body(error: str, message: str) -> str:
    """Return the JSON of an error that a sender sees."""
    return json.dumps(
        {"status": "error", "error": error, "message": message}, separators=(",", ":")
    )
