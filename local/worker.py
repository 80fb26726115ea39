"""Runs one Lambda handler in a process of its own.

Started by path, as `python -I -S worker.py <fd> <handler> <code directory> <package directory>…`.
It imports nothing of the project: the handler's imports must find the code that is deployed, and
in the place of the layer the package directories, and nothing else.

On the socket `fd`: frames of a four-byte length and that many bytes. The worker says first whether
the handler could be loaded. An invocation is two frames, its head and the event; so is a reply,
its head and the payload.
"""

import contextlib
import fcntl
import importlib
import importlib.machinery
import io
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from typing import Any


class InvocationContext:
    """What Lambda hands to a handler beside the event."""

    def __init__(self, head: dict[str, Any]) -> None:
        self.aws_request_id = head["request_id"]
        self.invoked_function_arn = head["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self._deadline = head["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime ends this process."""
        return max(0, int((self._deadline - time.time()) * 1000))


class CodeLoader(importlib.machinery.SourceFileLoader):
    """Loads from the code directory without writing byte code into it: it is what is deployed."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Keep nothing."""


def signal_when_closed(descriptor: int, leader: int, number: int) -> None:
    """Have the kernel signal a process group once the other end of a pipe is closed, or lost.

    No thread and no code of the process: SIGKILL ends it also while it is stopped, and while a
    handler holds the interpreter, in a regular expression that never ends for example. The pipe
    must be empty and stay so: what arrives in it is signalled too. Where the platform cannot
    choose the signal, it is SIGIO.

    Parameters
    ----------
    descriptor : int
        The end that is read from. The kernel keeps this with the pipe, not with the descriptor:
        who starts a process can set it for that one.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, -leader)
    if hasattr(fcntl, "F_SETSIG"):  # Linux has it (fcntl(2)), macOS does not
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, number)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def die_with_parent() -> None:
    """End this process once its parent's end of stdin is closed, also where it is already."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal_when_closed(0, os.getpgrp(), signal.SIGKILL)
    if select.select([0], [], [], 0)[0]:  # it was closed before this was armed
        os._exit(0)


def use_code(directory: str, packages: list[str]) -> None:
    """Import from the code directory first, then from the package directories."""

    def hook(path: str) -> importlib.machinery.FileFinder:
        if os.path.commonpath([directory, os.path.realpath(path)]) != directory:
            raise ImportError
        suffixes = importlib.machinery.SOURCE_SUFFIXES
        return importlib.machinery.FileFinder(path, (CodeLoader, suffixes))

    directory = os.path.realpath(directory)
    sys.path_hooks.insert(0, hook)
    sys.path.insert(0, directory)
    sys.path.extend(packages)


def read(channel: socket.socket) -> bytes:
    """Read one frame; the parent's end being closed ends the process."""
    parts = bytearray()
    wanted = 4
    while len(parts) < wanted:
        part = channel.recv(min(wanted - len(parts), 1 << 20))
        if not part:
            os._exit(0)
        parts += part
        if wanted == 4 and len(parts) == 4:
            wanted += struct.unpack(">I", parts)[0]
    return bytes(parts[4:])


def write(channel: socket.socket, head: dict[str, Any], body: bytes) -> None:
    """Write two frames."""
    text = json.dumps(head).encode()
    channel.sendall(struct.pack(">I", len(text)) + text + struct.pack(">I", len(body)) + body)


def describe(
    error: BaseException, request_id: str = "", kind: str | None = None, text: str | None = None
) -> bytes:
    """Describe an error as Lambda's Python runtime does, and log it as that does in JSON."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename != __file__]
    described = {
        "errorMessage": text or str(error),
        "errorType": kind or type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(mine),
    }
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"timestamp": now, "log_level": "ERROR", **described})
    sys.stderr.write(f"{line}\n")
    return json.dumps(described).encode()


def load(name: str) -> Any:
    """Return the handler `package.module.function`."""
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module), function)


def answer(handler: Any, head: dict[str, Any], event: bytes) -> tuple[bool, bytes]:
    """Call the handler; give whether that went well, and the payload."""
    try:
        result = handler(json.loads(event), InvocationContext(head))
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is its error
        return False, describe(error, head["request_id"])
    try:
        return True, json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        return False, describe(error, head["request_id"], "Runtime.MarshalError", text)


def main() -> None:
    """Load the handler, then answer one invocation after the other."""
    descriptor, name, directory, *packages = sys.argv[1:]
    die_with_parent()
    # A line is one write, also a long one: several workers append to one log.
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False), 1 << 20),
        encoding="utf-8",
        line_buffering=True,
    )
    os.set_inheritable(int(descriptor), False)
    channel = socket.socket(fileno=int(descriptor))
    use_code(directory, packages)
    try:
        handler = load(name)
    except Exception as error:  # noqa: BLE001 - importing runs the code of the function
        module = name.rpartition(".")[0]
        text = f"Unable to import module '{module}': {error}"
        write(channel, {"ready": False}, describe(error, "", "Runtime.ImportModuleError", text))
        return
    write(channel, {"ready": True}, b"null")
    while True:
        head = json.loads(read(channel))
        good, payload = answer(handler, head, read(channel))
        with contextlib.suppress(ValueError):  # the handler closed it
            sys.stdout.flush()
        write(channel, {"good": good}, payload)


if __name__ == "__main__":
    main()
