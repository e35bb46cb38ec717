"""The child process that parses: what it answers, what ends it, and how the next file goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from backends.errors import BackendError
from backends.rag.documents import parser_process
from backends.rag.documents.parser import ExtractProcess
from tests.backends.rag.samples import NEVER

FINE = [{"page": None, "text": "fine"}]
linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.txt"
    path.write_text("fine")
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    path = tmp_path / "endless.txt"
    os.mkfifo(path)  # nobody writes to it, so reading never ends
    return path


def pages(child: ExtractProcess, path: Path) -> object:
    answer = child.extract(path, "text", NEVER)
    assert answer is not None
    return answer["pages"]


def test_the_child_answers_in_json_lines(tmp_path: Path) -> None:
    text = "Die Küche ist heute leider geschlossen."
    (tmp_path / "a.txt").write_text(text, "cp1252")
    requests = [{"path": str(tmp_path / name), "format": "text"} for name in ("a.txt", "no")]
    child = subprocess.run(
        [sys.executable, "-m", "backends.rag.documents.parser_process"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line) for line in child.stdout.splitlines()] == [
        {
            "pages": [{"page": None, "text": text}],
            "language": "de",
            "warnings": ["The file does not say how its text is encoded: Windows-1252 was guessed."],
            "sha256": hashlib.sha256(text.encode("cp1252")).hexdigest(),
            "bytes": len(text),
            "last": False,
        },
        {
            "error": {
                "cause": "The file cannot be read: No such file or directory.",
                "next_step": "Check that it exists and that you may read it.",
            },
            "last": False,
        },
    ]


def test_a_file_that_takes_too_long_is_given_up_and_the_next_one_is_read(good: Path, endless: Path) -> None:
    with ExtractProcess(limit_s=0.2) as child, pytest.raises(BackendError, match=r"took longer than 0\.2 s"):
        child.extract(endless, "text", NEVER)
    with ExtractProcess(limit_s=60) as child:
        assert pages(child, good) == FINE


def test_a_file_that_kills_the_child_is_rejected_and_the_next_one_is_read(good: Path, endless: Path) -> None:
    with ExtractProcess(limit_s=60) as child, ThreadPoolExecutor(1) as thread:
        assert pages(child, good) == FINE
        process = child._process
        assert process
        reading = thread.submit(child.extract, endless, "text", NEVER)
        with open(endless, "wb"):  # opens as soon as the child reads
            process.kill()
            with pytest.raises(BackendError, match=r"^The reader gave up on this file: it is damaged, or needs more"):
                reading.result()
        assert pages(child, good) == FINE
        assert child._process
        assert child._process.pid != process.pid


def test_a_child_that_ended_between_two_files_costs_no_file(good: Path) -> None:
    with ExtractProcess(limit_s=60) as child:
        assert pages(child, good) == FINE
        assert child._process
        child._process.kill()
        child._process.wait()
        assert pages(child, good) == FINE


def test_one_child_reads_a_whole_batch_until_it_has_grown_too_large(good: Path, tmp_path: Path) -> None:
    with ExtractProcess(limit_s=60) as child:
        pages(child, good)
        first = child._process
        pages(child, good)
        assert child._process is first
    code = "import backends.rag.documents.parser_process as e; e.SPENT_BYTES = 1; e.main()"
    request = json.dumps({"path": str(good), "format": "text"}) + "\n"
    spent = subprocess.run(
        [sys.executable, "-c", code], input=request * 2, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [json.loads(line)["last"] for line in spent] == [True]


def test_cancelling_ends_a_read_in_progress(endless: Path) -> None:
    cancel = threading.Event()
    with ExtractProcess(limit_s=60) as child, ThreadPoolExecutor(1) as thread:
        reading = thread.submit(child.extract, endless, "text", cancel)
        with open(endless, "wb"):
            cancel.set()
            assert reading.result() is None
        assert child._process is None


@linux
def test_the_child_sees_no_keys_and_finds_what_we_find(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/opt/ours")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", "sk-secret")
    with ExtractProcess(limit_s=60) as child:
        child.extract(good, "text", NEVER)
        assert child._process
        environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    (path,) = (one for one in environment.split(b"\0") if one.startswith(b"PYTHONPATH="))
    assert path == f"PYTHONPATH={Path(__file__).parents[4]}:/opt/ours".encode()
    assert b"sk-secret" not in environment


def test_the_child_imports_no_parser_for_plain_text(good: Path) -> None:
    code = (
        "import sys, backends.rag.documents.parser_process as e; e.extract(sys.argv[1], 'text');"
        "print([name for name in ('markitdown', 'lxml', 'pypdf', 'openpyxl', 'pptx', 'pandas', 'py3langid')"
        " if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code, str(good)], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"


def shut_in(code: str, *arguments: str) -> str:
    """What code prints in a process that is shut in as the child is."""
    program = f"import sys, backends.rag.documents.parser_process as e; e.sandbox_process()\n{code}"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip().splitlines()[-1]


def test_the_child_has_no_network_and_starts_no_programs(httpserver: HTTPServer) -> None:
    refused = "documents are read without network and without other programs"
    fetch = "from urllib.request import urlopen; urlopen(sys.argv[1])"
    assert refused in shut_in(fetch, httpserver.url_for("/"))
    assert refused in shut_in("import _socket; _socket.socket()")
    assert refused in shut_in("import socket; socket.getaddrinfo('a.example', 80)")
    assert refused in shut_in("import subprocess; subprocess.run(['true'])")
    assert refused in shut_in("import os; os.system('true')")
    assert refused in shut_in("import os; os.fork()")
    assert httpserver.log == []


@linux
def test_the_child_has_limits_on_memory_and_processor_time() -> None:
    memory = f"e._limit_process(); bytearray({parser_process.MEMORY_BYTES})"
    assert shut_in(memory) == "MemoryError"
    busy = "import backends.rag.documents.parser_process as e; e.CPU_S = 1; e._limit_next_file()\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", busy], check=False).returncode == -signal.SIGXCPU
