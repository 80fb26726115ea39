"""Sources that are let in by other things than a header or a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.event.compiled_source import Catalog, load_catalog
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = {
    "by-query": "authentication: {type: token, query: key}",
    "by-path": "authentication: {type: token, path: true}",
    "by-password": "authentication: {type: basic}",
    "by-network": "authentication: {type: network}\nallowed_networks: [192.0.2.0/24]",
    "by-nothing": "authentication: {type: none}",
}


def write_doors(directory: Path, sources: dict[str, str]) -> Path:
    """Write the folders of these sources, of which each is a few lines of settings."""
    for name, settings in sources.items():
        (directory / name).mkdir(parents=True)
        text = f"version: 1\ntitle: {name}\n{settings}\n"
        (directory / name / "source.yaml").write_text(text, encoding="utf-8")
    return directory


def compile_doors(
    directory: Path, package: str, path: list[str], sources: dict[str, str]
) -> Catalog:
    """Compile them as the build does, into a package on this path."""
    loaded = load_sources(sorted(sources), write_doors(directory / "sources", sources))
    write_compiled_catalog(loaded, directory, package)
    path.insert(0, str(directory))
    return load_catalog(package)


_SIGNED = """\
ingest: receiver
authentication: {type: hmac, header: X-Sig}
headers: {keep: [X-Sig]}
"""

#: By the senders whose documentation asks for it so.
ASKING = {
    "meta": _SIGNED
    + """\
handshake:
  - when: {method: GET, query: {hub.mode: subscribe}}
    proof: token
    token: {query: hub.verify_token}
    challenge: {query: hub.challenge}
    answer: {text: $challenge}
""",
    "dropbox": _SIGNED
    + """\
handshake:
  - when: {method: GET}
    challenge: {query: challenge}
    answer: {text: $challenge, headers: {X-Fixed: "yes"}}
""",
    "x": _SIGNED
    + """\
handshake:
  - when: {method: GET}
    challenge: {query: crc_token}
    hmac: {encoding: base64, prefix: "sha256="}
    answer: {json: {response_token: $hmac}}
""",
    "x-hashed": _SIGNED.replace("X-Sig}", "X-Sig, secret: {digest: sha256}}", 1)
    + """\
handshake:
  - when: {method: GET}
    challenge: {query: crc_token}
    answer: {json: {response_token: $hmac}}
""",
    "twitch": _SIGNED
    + """\
handshake:
  - when: {header: {Twitch-Eventsub-Message-Type: webhook_callback_verification}}
    challenge: {path: challenge}
    answer: {text: $challenge}
""",
    "trello": """\
authentication: {type: hmac, header: X-Sig}
headers: {keep: [X-Sig]}
handshake: [{when: {method: HEAD}}]
answer: {status: 202, text: taken, headers: {X-Own: fixed}}
""",
    "monday": """\
ingest: receiver
authentication: {type: token}
handshake:
  - when: {body: {challenge: true}}
    proof: none
    challenge: {path: challenge}
    answer: {json: {challenge: $challenge}}
""",
    "ringcentral": """\
ingest: receiver
authentication: {type: token, header: Verification-Token}
handshake:
  - when: {header: {Validation-Token: true}}
    proof: none
    challenge: {header: Validation-Token}
    answer: {headers: {Validation-Token: $challenge}}
""",
    "event-grid": """\
ingest: receiver
authentication: {type: token, query: key}
handshake:
  - when: {header: {aeg-event-type: SubscriptionValidation}}
    challenge: {path: 0.data.validationCode}
    answer: {json: {validationResponse: $challenge}}
  - when: {method: OPTIONS, header: {WebHook-Request-Origin: true}}
    challenge: {header: WebHook-Request-Origin}
    answer: {headers: {WebHook-Allowed-Origin: $challenge, WebHook-Allowed-Rate: "120"}}
""",
    "graph": """\
ingest: receiver
authentication: {type: token, path: true}
handshake:
  - when: {query: {validationToken: true}}
    proof: none
    challenge: {query: validationToken}
    answer: {text: $challenge}
""",
    "discord": _SIGNED + "handshake: [{when: {body: {type: 0}}, answer: {status: 204}}]\n",
    "xero": _SIGNED + "answer: {text: ''}\n",
    "ebay": _SIGNED
    + """\
handshake:
  - when: {method: GET, query: {challenge_code: true}}
    challenge: {query: challenge_code}
    sha256: "{challenge}{token}{url}"
    answer: {json: {challengeResponse: $sha256}}
""",
    "notion": _SIGNED
    + """\
handshake:
  - when: {body: {verification_token: true}}
    proof: none
    learn: {path: verification_token}
""",
    "asana": _SIGNED
    + """\
handshake:
  - when: {header: {X-Hook-Secret: true}}
    proof: none
    learn: {header: X-Hook-Secret}
    challenge: {header: X-Hook-Secret}
    answer: {headers: {X-Hook-Secret: $challenge}}
""",
    "adobe": """\
ingest: receiver
authentication: {type: token, header: X-AdobeSign-ClientId}
answer: {json: {xAdobeSignClientId: $header.X-AdobeSign-ClientId}}
handshake:
  - when: {method: GET}
    challenge: {header: X-AdobeSign-ClientId}
    answer: {headers: {X-AdobeSign-ClientId: $challenge}}
""",
}
