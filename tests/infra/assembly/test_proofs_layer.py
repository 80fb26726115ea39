"""The layer of functions that check public keys and JSON Web Tokens: what is in it, who has it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.assembly.app import ROOT
from infra.assembly.code import write_code
from infra.assembly.layer import DEPENDENCIES, PROOFS, Runtime, build_layer
from settings.deployment import Deployment
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.conftest import Synthesized

HERE = Runtime(version=f"{sys.version_info.major}.{sys.version_info.minor}", platform="")
MIB = 1024 * 1024
SIGNED = """\
version: 1
title: Signs with a key
authentication: {type: public_key, algorithm: ed25519, header: X-Sig, encoding: base64url}
headers: {keep: [X-Sig]}
"""
SHOWN = """\
version: 1
title: Shows a token at the door
ingest: receiver
authentication:
  type: jwt
  header: Authorization
  prefix: "Bearer "
  algorithms: [RS256]
  keys_url: https://login.example.com/keys
  claims: {aud: us}
"""
WRITTEN = """\
version: 1
title: Writes its token into the body
ingest: receiver
authentication: {type: body_token, path: token}
"""
MESSAGES = """\
version: 1
title: Amazon SNS
authentication: {type: sns, topics: ["arn:aws:sns:us-west-2:131990247566:dongie-*"]}
content_types: [text/plain]
"""
EVENTS = """\
version: 1
title: Events that are tokens
authentication: {type: jwt, algorithms: [ES256]}
body: {format: jwt}
"""
OF_BODIES = {
    f"body-{kind}": f"""\
version: 1
title: Sends {kind}
authentication: {{type: token}}
content_types: [{media_type}]
body: {{format: {kind}}}
{split}"""
    for kind, media_type, split in (
        ("form", "application/x-www-form-urlencoded", ""),
        ("multipart", "multipart/form-data", ""),
        ("xml", "application/xml", ""),
        ("ndjson", "application/json", "split: {path: .}\n"),
    )
}
SOURCES = {
    **OF_BODIES,
    "signed": SIGNED,
    "shown": SHOWN,
    "written": WRITTEN,
    "messages": MESSAGES,
    "events": EVENTS,
}
#: Each proof with what its library must have, run with the code and the two layers alone.
PROGRAM = """
import json
from pipeline.event.compiled_source import load_catalog
from pipeline.event.secrets import only
from pipeline.event.signatures import find_fault
from pipeline.event.parsing import json_in

catalog = load_catalog()
early = sorted({"cryptography", "jwt", "urllib3"} & set(sys.modules))
vectors = json.load(open(sys.argv[1]))
sns = vectors["sns"]
one = vectors["rfc8037"]
token = vectors["tokens"]["es256"]

def says(name, secret, headers, body, at):
    found = find_fault(catalog.sources[name], only(secret.encode()), headers, body, at * 1000)
    return found and found[1]

event = token["token"].encode()
found = [
    says("signed", one["key"], {"x-sig": one["signature"]}, one["body"].encode(), 0),
    says("messages", sns["certificate"], {}, json.dumps(sns["messages"]["version 2"]).encode(),
         1_772_827_300),
    says("events", json.dumps(token["key"]), {}, event, 1_300_819_300),
    says("written", "s3cret", {}, b'{"token":"s3cret"}', 0),
]
wrong = says("events", json.dumps(token["key"]), {}, event[:-2], 0)
claims = json.loads(json_in(catalog.sources["events"], event))["iss"]
part = b"--x\\r\\nContent-Disposition: form-data; name=a\\r\\n\\r\\n1\\r\\n--x--\\r\\n"
bodies = {"form": b"a=1", "multipart": part, "xml": b"<a>1</a>", "ndjson": b'{"a":"1"}'}
read = [json.loads(json_in(catalog.sources["body-" + kind], body)) for kind, body in bodies.items()]
print(json.dumps([found, early, claims, wrong is not None, read]))
"""


def written(folder: Path) -> Path:
    for name, text in SOURCES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "source.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def layers() -> list[Path]:
    return [build_layer(ROOT, ROOT / "build", None, HERE, part) for part in (DEPENDENCIES, PROOFS)]


def test_all_proofs_and_bodies_are_read_with_code_and_layers_alone(
    layers: list[Path], tmp_path: Path
) -> None:
    """And a function that checks none, such as the authorizer, loads the catalogue without them."""
    sources = load_sources(sorted(SOURCES), written(tmp_path / "sources"))
    write_code(ROOT, sources, tmp_path / "code")
    path = [str(tmp_path / "code"), *(str(layer / "python") for layer in layers)]
    vectors = ROOT / "tests" / "support" / "proof_vectors.json"
    program = f"import sys; sys.path[:0] = {path}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, str(vectors)],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        [None] * 4,
        [],
        "joe",
        True,
        [*[{"a": "1"}] * 3, [{"a": "1"}]],
    ]


def test_nothing_is_in_both_layers(layers: list[Path]) -> None:
    base, proofs = ({one.name for one in (each / "python").iterdir()} for each in layers)
    assert not base & proofs
    assert {"cryptography", "jwt"} <= proofs


def test_the_layer_is_of_the_functions_machine_and_bounded() -> None:
    layer = build_layer(ROOT, ROOT / "build", part=PROOFS)
    files = [file for file in layer.rglob("*") if file.is_file()]
    natives = [file for file in files if file.suffix == ".so"]
    assert natives
    for file in natives:
        (machine,) = struct.unpack_from("<H", file.read_bytes(), 18)  # e_machine of elf(5)
        assert machine == 183, file.name  # EM_AARCH64
    assert sum(file.stat().st_size for file in files) < 16 * MIB


@pytest.mark.parametrize(
    ("names", "two_layers"),
    [
        (["github", "written"], set()),
        (["signed", "written"], {"fanout"}),
        (["shown"], {"receiver"}),
    ],
)
def test_functions_that_check_such_proofs_have_the_layer_and_no_others(
    synthesized: Callable[[Deployment], Synthesized],
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    two_layers: set[str],
) -> None:
    folder = written(tmp_path_factory.getbasetemp() / "proved_sources")
    deployment = Deployment(
        stage="test", service="proofs", sources=tuple(names), source_directory=folder
    )
    stack = synthesized(deployment)
    functions = stack.all("AWS::Lambda::Function")
    found = {name for name, one in functions.items() if len(one.get("Layers", [])) == 2}
    assert {next(two for two in two_layers if name.lower().startswith(two)) for name in found} == (
        two_layers
    )
    assert len(found) == len(two_layers)
    assert len(stack.all("AWS::Lambda::LayerVersion")) == (2 if two_layers else 1)
