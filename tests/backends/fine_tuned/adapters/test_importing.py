"""Adapters from elsewhere: from a zip, a folder and the Hub, which a server on this machine plays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import Adapter, adapters
from backends.fine_tuned.adapters.importing import import_folder, import_from_hub, import_zip
from backends.fine_tuned.adapters.zip_files import zip_bytes
from backends.models import hub as hub_cache
from backends.models.adapter_files import Fit
from backends.settings import load_settings
from backends.storage.files import sha256
from tests.backends.models.made_adapters import change_config, fault, make_lora
from tests.hub_server import COMMIT, GATED, MISSING, Hub, files_of, serve

WEIGHTS = "adapter_model.safetensors"
REPOSITORY = "acme/doors-lora"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "made" / "doors")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def listed(data: Path) -> dict[str, Adapter]:
    """The adapters of one's own, by name."""
    found = adapters(load_settings({"data": str(data), "raw.model": "tiny"}))
    return {one.name: one for one in found if one.origin != "sample"}


def untouched(data: Path) -> bool:
    """Whether no trace of an adapter was left."""
    return not (data / "adapters").exists() or not list((data / "adapters").iterdir())


def test_from_a_zip(lora: Path, data: Path) -> None:
    content = zip_bytes(lora)
    assert import_zip(content, "C:\\fakepath\\my doors.zip", data) == data / "adapters" / "my-doors"
    assert import_zip(content, "my doors.zip", data).name == "my-doors-2"
    found = listed(data)["my-doors-2"]
    assert (found.origin, found.source, found.fit) == ("zip file", "my doors.zip", Fit(True))
    assert found.sha256 == sha256(lora / WEIGHTS)
    told = json.loads((found.folder / "origin.json").read_text())
    assert (told["kind"], told["sha256"]) == ("zip file", found.sha256)


def test_from_a_folder(lora: Path, data: Path) -> None:
    (lora / "optimizer.pt").write_bytes(b"x")
    (lora / "origin.json").write_text('{"kind": "Hub", "source": "someone else"}')
    folder = import_folder(lora, data, "gates")
    assert sorted(file.name for file in folder.iterdir()) == ["adapter_config.json", WEIGHTS, "origin.json"]
    assert (listed(data)["gates"].origin, listed(data)["gates"].source) == ("folder", str(lora))


@contextmanager
def repository(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub that has one repository with these files."""
    from huggingface_hub import close_session, constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with serve(REPOSITORY, files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
    close_session()


def test_from_the_hub_at_one_commit(lora: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"optimizer.pt": b"x", "checkpoint-9/adapter_model.safetensors": b"x", "README.md": b"# theirs\n"}
    with repository(files_of(lora) | more, monkeypatch, tmp_path) as hub:
        folder = import_from_hub(REPOSITORY, data)
        fetched = {request.path.rpartition("/")[2] for request in hub.requests if request.method == "GET"}
        assert not fetched & {"optimizer.pt"}
        assert all(COMMIT in request.path for request in hub.requests if "/resolve/" in request.path)
    assert folder == data / "adapters" / "doors-lora"
    assert (folder / "README.md").read_bytes() == b"# theirs\n"
    found = listed(data)["doors-lora"]
    assert (found.origin, found.source, found.fit) == ("Hub", f"{REPOSITORY} at {COMMIT}", Fit(True))
    assert found.sha256 == sha256(lora / WEIGHTS)


def test_what_the_hub_refuses(lora: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with repository(files_of(lora), monkeypatch, tmp_path) as hub:
        assert fault(lambda: import_from_hub("no id", data))[0] == "'no id' is not a Hub id."
        assert fault(lambda: import_from_hub(REPOSITORY, data, "../x"))[0] == "'../x' is not a revision."
        assert fault(lambda: import_from_hub(REPOSITORY, data, "v9"))[0] == f"{REPOSITORY} has no revision v9."
        hub.info = GATED
        assert fault(lambda: import_from_hub(REPOSITORY, data))[0] == f"{REPOSITORY} is gated on the Hub."
        hub.info = MISSING
        assert fault(lambda: import_from_hub(REPOSITORY, data))[0].startswith(f"There is no model {REPOSITORY} ")
        hub.info, hub.cut = None, WEIGHTS
        assert "the Hub" in fault(lambda: import_from_hub(REPOSITORY, data))[0]
    assert untouched(data)


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({"config.json": b"{}"}, f"{REPOSITORY} is no adapter: it has no adapter_config.json."),
        (
            {"adapter_config.json": b"{}", "adapter_model.bin": b"x"},
            f"{REPOSITORY} has no adapter weights as safetensors on the Hub.",
        ),
    ],
)
def test_a_repository_without_an_adapter(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], cause: str
) -> None:
    with repository(files, monkeypatch, tmp_path) as hub:
        assert fault(lambda: import_from_hub(REPOSITORY, data))[0] == cause
        assert not [request for request in hub.requests if "/resolve/" in request.path]


def test_an_adapter_on_the_hub_that_is_too_large(
    lora: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_cache, "MAX_ADAPTER_BYTES", 1000)
    with repository(files_of(lora), monkeypatch, tmp_path) as hub:
        assert fault(lambda: import_from_hub(REPOSITORY, data))[0].startswith(f"The weights of {REPOSITORY} take ")
        assert not [request for request in hub.requests if "/resolve/" in request.path]


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda folder: (folder / WEIGHTS).write_bytes(b"x"), f"{WEIGHTS} of the adapter doors is damaged."),
        (
            lambda folder: (folder / "adapter_config.json").write_text("["),
            "adapter_config.json of the adapter doors is",
        ),
        (lambda folder: change_config(folder, peft_type="PROMPT_TUNING"), "The adapter doors is of a kind that cannot"),
        (lambda folder: change_config(folder, init_lora_weights="pissa"), "The adapter doors needs a base whose"),
        (
            lambda folder: (folder / "card.json").write_text('{"sha256": "0"}'),
            "The adapter doors is damaged: its sha256",
        ),
    ],
)
def test_what_cannot_be_used_never_appears(lora: Path, data: Path, spoil: object, cause: str) -> None:
    import io
    import zipfile

    spoil(lora)  # type: ignore[operator]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in lora.iterdir():
            archive.write(file, file.name)
    assert fault(lambda: import_zip(stream.getvalue(), "doors.zip", data))[0].startswith(cause)
    assert fault(lambda: import_folder(lora, data))[0].startswith(cause)
    assert untouched(data)


def test_a_name_that_is_taken_or_can_be_none(lora: Path, data: Path) -> None:
    assert fault(lambda: import_folder(lora, data, "brambleworth"))[0] == (
        "There is an adapter called brambleworth already."
    )
    assert fault(lambda: import_folder(lora, data, "../x"))[0] == "'../x' cannot be an adapter's name."
    assert untouched(data)


def test_a_disk_that_refuses_is_said(lora: Path, tmp_path: Path) -> None:
    (tmp_path / "adapters").write_text("in the way")
    cause, next_step = fault(lambda: import_folder(lora, tmp_path))
    assert (cause, next_step) == ("The adapter could not be stored: File exists.", "Make room for it and try again.")


def test_a_link_out_of_an_adapters_folder_is_named_and_not_followed(lora: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (lora / "NOTES.md").symlink_to(tmp_path / "secret")
    assert fault(lambda: import_folder(lora, data)) == (
        "NOTES.md in doors is a link that leads out of the folder.",
        "Put a copy of the file in its place.",
    )
    assert untouched(data)
    with pytest.raises(BackendError, match="in doors is a link"):
        zip_bytes(lora)
    (lora / "NOTES.md").unlink()
    (lora / "NOTES.md").symlink_to("README.md" if (lora / "README.md").exists() else WEIGHTS)
    assert import_folder(lora, data).is_dir()
