"""The layer of functions that check public keys and JSON Web Tokens: what is in it, who has it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.assembly.app import ROOT
from infra.assembly.layer import DEPENDENCIES, PROOFS, Runtime, build_layer
from settings.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.conftest import Synthesized

HERE = Runtime(version=f"{sys.version_info.major}.{sys.version_info.minor}", platform="")
MIB = 1024 * 1024
SIGNED = """\
version: 1
title: Signs with a key
authentication: {type: public_key, algorithm: ed25519, header: X-Sig, signed: "{body}"}
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
SOURCES = {"signed": SIGNED, "shown": SHOWN, "written": WRITTEN}
#: Each proof with what its library must have, run with the two layers and nothing else.
PROGRAM = """
import base64, hashlib, hmac, json
from pipeline.event.proofs import keys
from pipeline.event.proofs.json_web_token import _algorithms
algorithms = sorted(_algorithms())
vectors = json.load(open(sys.argv[1]))
done = []
for name, algorithm, signed in (
    ("telnyx", "ed25519", lambda one: f"{one['time']}|{one['body']}"),
    ("sendgrid", "ecdsa-p256-sha256", lambda one: one["time"] + one["body"]),
    ("wise", "rsa-sha256", lambda one: one["body"]),
    ("travis", "rsa-sha1", lambda one: one["body"]),
):
    one = vectors[name]
    (key,) = keys.keys_of([one["key"].encode()], algorithm)
    signature = base64.b64decode(one["signature"])
    done.append(keys.verifies(key, algorithm, signature, signed(one).encode()))
    done.append(not keys.verifies(key, algorithm, signature, b"{}"))
done.append(keys.certificate_of(vectors["sns"]["certificate"].encode()) is not None)
done.append(keys.key_of_jwk(vectors["tokens"]["es256"]["key"]) is not None)
print(json.dumps([all(done), {"HS256", "RS256", "PS256", "ES256", "EdDSA"} <= set(algorithms)]))
"""


@pytest.fixture(scope="module")
def layers() -> list[Path]:
    return [build_layer(ROOT, ROOT / "build", None, HERE, part) for part in (DEPENDENCIES, PROOFS)]


def test_all_proofs_are_checked_with_the_two_layers_alone(layers: list[Path]) -> None:
    path = [str(ROOT), *(str(layer / "python") for layer in layers)]
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
    assert json.loads(done.stdout) == [True, True]


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
    folder = tmp_path_factory.getbasetemp() / "proved_sources"
    for name, text in SOURCES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "source.yaml").write_text(text)
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
