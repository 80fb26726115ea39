"""Signs the catalogue's samples anew: `python -m tests.senders.signing.of_catalog [SOURCE …]`.

The body is `samples/signed-by-the-library.json`; the sample is written beside it.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from settings.source.loader import CATALOG
from tests.senders.signing.__main__ import makers, written

STEM = "signed-by-the-library"
#: A source of the catalogue, and the sender of the table that signs like it.
SIGNED_LIKE = {
    "adyen-platform": "adyen-platform",
    "box": "box",
    "clerk": "clerk",
    "incident-io": "incident-io",
    "openai": "openai",
    "paddle": "paddle",
    "render": "render",
    "resend": "resend",
    "svix": "clerk",
    "workos": "workos",
}


def sign(source: str) -> None:
    """Write the sample of a source that a library signed."""
    samples = CATALOG / source / "samples"
    maker = replace(makers()[SIGNED_LIKE[source]], file=f"{STEM}.json")
    body = (samples / maker.file).read_bytes()
    text = written(maker, body, {"outcome": "delivered"})
    (samples / f"{STEM}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(SIGNED_LIKE):
        sign(name)
