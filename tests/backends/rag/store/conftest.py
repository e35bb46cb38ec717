"""A real Chroma server on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `chroma run`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    command = [str(program), "run", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--path", str(tmp_path_factory.mktemp("server"))], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        ready = threading.Event()
        reader = threading.Thread(target=drain, args=(process.stdout, ready))
        reader.start()
        ready.wait()
        yield f"http://127.0.0.1:{port}"
        process.kill()
        reader.join()


def drain(output: IO[bytes], ready: threading.Event) -> None:
    """Read what the server says, which it would wait for, and notice when it listens."""
    for line in output:
        if b"listening" in line:
            ready.set()
    ready.set()
