"""A data folder that takes nothing: sentences with cause and next step, and no answer is lost to it."""

from __future__ import annotations

import errno
import logging
import os
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

import backends
from backends.base import Answer
from backends.errors import BackendError, disk_fault, unexpected_fault
from backends.remote import stand_in
from backends.remote.stand_in import Control
from backends.run.compare import compare
from backends.run.jobs import Job
from backends.settings import BudgetSettings, Settings, load_settings
from backends.spend import budget, ledger
from backends.storage.files import prepared
from tests.backends.openai_server import KEY, PATH, paris
from tests.scripted import PATIENCE_S, Scripted

NO_FOLDERS = ("/dev/null", "a file", "below a file", "a loop")


def unusable(tmp_path: Path, kind: str) -> Path:
    """A path that can be no folder, whoever asks."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = {"a file": "file", "below a file": "file/data", "a loop": "loop/data"}
    return Path(kind) if kind == "/dev/null" else tmp_path / names[kind]


@pytest.mark.parametrize("kind", NO_FOLDERS)
def test_what_is_no_folder_is_named_with_the_next_step(tmp_path: Path, kind: str) -> None:
    data = unusable(tmp_path, kind)
    with pytest.raises(BackendError) as refused:
        prepared(data)
    assert refused.value.cause.startswith(f"The data folder {data} cannot be used: ")
    assert "hoose another data folder with CROSSROADS_DATA." in refused.value.next_step
    assert "Remove" not in refused.value.next_step


def test_a_folder_is_made_where_it_is_missing_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"
    assert prepared(data) == data
    assert list(data.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission is denied"),
        (errno.ENOTDIR, "there is a file where a folder should be"),
        (errno.EIO, "the disk does not work"),
    ],
)
def test_what_a_disk_refuses_is_a_sentence_without_the_folders(number: int, cause: str) -> None:
    fault = unexpected_fault("Training", OSError(number, os.strerror(number), "/home/somebody/data/state.json"))
    assert fault.cause == f"Training failed. The file state.json cannot be used: {cause}."
    assert fault.next_step
    told = disk_fault(RuntimeError(f"I/O error: {os.strerror(number)} (os error {number})"))  # as Rust libraries do
    assert told is not None
    assert told.cause == f"A file cannot be used: {cause}."


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError(110, "late"), ValueError("(os)")])
def test_what_did_not_come_of_a_disk_is_left_to_others(error: Exception) -> None:
    assert disk_fault(error) is None


def test_full_means_full(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as raised, open("/dev/full", "wb", buffering=0) as full:
        full.write(b".")
    fault = disk_fault(raised.value)
    assert fault is not None
    assert str(fault).endswith("cannot be used: the disk is full. Make room, or choose another data folder with "
                               "CROSSROADS_DATA.")  # fmt: skip


def test_a_column_and_a_job_say_what_the_disk_refused_and_log_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    refused = OSError(errno.EROFS, "Read-only file system", "/x/model.part")
    backend = Scripted(refused)
    events = compare([backend], load_settings().question("q"), threading.Event())
    (answer,) = [event for _, event in events if isinstance(event, Answer)]
    assert answer.error is not None
    assert "The file model.part cannot be used: the disk is read-only. Make it writable, or" in answer.error

    def job(_: threading.Event):  # type: ignore[no-untyped-def]
        raise refused
        yield

    working = Job("Indexing", job)
    assert working.wait(PATIENCE_S)
    assert str(working.state.fault).startswith("Indexing failed. The file model.part cannot be used: the disk is read-")
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == 2
    assert not any(record.exc_info for record in logged)


@pytest.mark.parametrize("kind", NO_FOLDERS)
def test_the_stand_in_says_it_and_nobody_looks_for_a_record_there(
    tmp_path: Path, kind: str, base_weights: Path
) -> None:
    data = unusable(tmp_path, kind)
    assert stand_in.running(data) is None
    with pytest.raises(BackendError, match=r"The data folder .* cannot be used"):
        stand_in.start(base_weights, data)


def test_a_start_in_the_background_ends_with_a_sentence(tmp_path: Path) -> None:
    start = Control(unusable(tmp_path, "below a file"))
    start.begin()
    for thread in threading.enumerate():
        if thread.name == "stand-in-start":
            thread.join(PATIENCE_S)
    assert not start.under_way
    assert start.fault is not None
    assert "The default weights could not be written to " in start.fault
    assert ": Not a directory. Make 300 MB of room there, or set CROSSROADS_DATA" in start.fault


def paid(url: str, data: Path, **more: object) -> Settings:
    given = {"base_url": url, "model": "m", "api_key": KEY, "max_retries": 0}
    given |= {"price.input_usd": "1", "price.output_usd": "1", "price.date": "2026-11-01"}
    return load_settings({f"paid_api.{name}": value for name, value in given.items()} | {"data": str(data)} | more)


@pytest.mark.parametrize("kind", NO_FOLDERS)
def test_a_paid_answer_stays_where_no_charge_can_be_written(
    tmp_path: Path, kind: str, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    settings = paid(httpserver.url_for("/v1"), unusable(tmp_path, kind))
    made, question = backends.make("paid_api", settings), settings.question("Paris?")
    (answer,) = [one for _, one in compare([made], question, threading.Event()) if isinstance(one, Answer)]
    ledger.recorder(settings)(answer)
    assert (answer.status, answer.text) == ("ok", "Paris.")
    assert str(ledger.fault(settings.data)).startswith("The store of answers cannot be written: ")
    assert budget.today_in_words(settings.data, settings.budget).startswith("Spent today: unknown. The ledger")
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage().split(":")[0] for record in logged] == [
        "a charge was not recorded",
        "an answer was not recorded",
    ]
    assert not any(record.exc_info for record in logged)


def test_a_cap_that_cannot_be_checked_lets_nothing_through(tmp_path: Path, httpserver: HTTPServer) -> None:
    capped = paid(httpserver.url_for("/v1"), unusable(tmp_path, "below a file"))
    capped = capped.model_copy(update={"budget": BudgetSettings(per_day_usd=Decimal(1))})
    made, question = backends.make("paid_api", capped), capped.question("Paris?")
    (answer,) = [one for _, one in compare([made], question, threading.Event()) if isinstance(one, Answer)]
    assert (answer.error or "").startswith("The store of answers cannot be written: there is a file where a folder")
    assert httpserver.log == []


# --- .env ------------------------------------------------------------------------------------------


def test_an_env_file_that_is_no_text_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes(b"CROSSROADS_SEED=1\n# \xff\xfe")
    monkeypatch.setitem(Settings.model_config, "env_file", str(tmp_path / ".env"))
    with pytest.raises(BackendError) as refused:
        load_settings()
    assert refused.value.cause == "The file .env cannot be read: it is not UTF-8 text."
    assert refused.value.next_step == "Correct, rename or remove it."


def test_a_folder_named_env_is_somebodys_and_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").mkdir()
    monkeypatch.setitem(Settings.model_config, "env_file", str(tmp_path / ".env"))
    assert load_settings().seed == 0
