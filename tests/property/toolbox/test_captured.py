"""Whatever a capture holds, it is read, or refused in one line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from toolbox.sources.captured.proposal import CapturedProposal, propose
from toolbox.sources.captured.reading import read_captures
from toolbox.sources.captured.request import CaptureError

TEXT = st.text(max_size=60) | st.sampled_from(["POST", "https://a/b?c", "t=1795548500,v1=ab", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
HEADERS = st.lists(st.fixed_dictionaries({"name": TEXT, "value": TEXT}), max_size=4)
REQUEST = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "GET", "PUT"]),
        "url": st.sampled_from(["https://a/b", "https://a/b?token=x&hub.challenge=y", "http://["]),
        "headers": HEADERS | JSON,
        "postData": st.fixed_dictionaries(
            {"text": JSON.map(lambda one: orjson.dumps(one).decode())}
        )
        | JSON,
    }
)
HAR = st.lists(st.fixed_dictionaries({"request": REQUEST | JSON}), max_size=3).map(
    lambda entries: orjson.dumps({"log": {"entries": entries}})
)
SHELL = st.text("curl -dHX'\"$\\\n@:;|{}ab1 ", max_size=80).map(
    lambda text: f"curl {text}".encode()
)
WIRE = st.binary(max_size=80).map(lambda rest: b"POST /a HTTP/1.1\r\n" + rest)


def tried(path: Path, secret: str) -> tuple[CapturedProposal | None, str]:
    try:
        captures = read_captures([path])
        return propose(captures, [secret] if secret else [], keep_secret=True), ""
    except CaptureError as error:
        return None, str(error)


@given(HAR | SHELL | WIRE | st.binary(max_size=80), st.sampled_from(["", "s3cr3t", "00" * 32]))
@settings(max_examples=300, deadline=None)
def test_a_capture_is_read_or_refused(content: bytes, secret: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "c"
        path.write_bytes(content)
        found, message = tried(path, secret)
    if found is None:
        assert "\n" not in message.replace(directory, "")
        return
    assert found.given
    assert found.settings["authentication"]["type"]
