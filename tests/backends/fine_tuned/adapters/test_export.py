"""Adapters merged into models of their own, loaded by programs that know nothing of adapters."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest

from backends.base import Answer
from backends.fine_tuned.adapters import export
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.fine_tuned.adapters.export import export_merged, manifest
from backends.fine_tuned.approach import FineTunedBackend
from backends.fine_tuned.served import AS_SERVED, ServedFineTunedBackend
from backends.fine_tuned.train.method import last_layers, save_last_layers
from backends.models import inference
from backends.models.adapter_view import load_adapter
from backends.models.generate import build_prompt
from backends.models.local import LocalModel
from backends.run.compare import compare
from backends.run.lane import THIS_MACHINE
from backends.settings import Settings, load_settings
from backends.storage.files import sha256
from backends.storage.process import child_environment
from tests.backends.fine_tuned.plain_peft import PlainPeft
from tests.backends.models.made_adapters import QUESTION, fault, load_base, logits, make_lora, same


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> LocalModel:
    return load_base(str(tiny_model))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "doors", card={"base_model": "tiny", "seconds": 3.0})


def ids(base: LocalModel) -> list[int]:
    """The question's prompt as token ids."""
    found: list[int] = build_prompt(base, QUESTION).ids[0].tolist()
    return found


@pytest.mark.slow
def test_plain_transformers_computes_what_the_merged_adapter_does(
    base: LocalModel, lora: Path, tmp_path: Path, plain_peft: PlainPeft
) -> None:
    exported = export_merged(base, lora, tmp_path / "models" / "doors")
    assert exported.adapter == {
        "base_model": "tiny",
        "seconds": 3.0,
        "name": "doors",
        "sha256": sha256(lora / "adapter_model.safetensors"),
    }
    assert (exported.base_model, exported.base_revision) == ("tiny", base.weights.revision)
    names = {file.name for file in exported.folder.iterdir()}
    assert names == {
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *("chat_template.jinja", "README.md", "crossroads.json"),
    }
    assert exported.size_bytes == sum(file.stat().st_size for file in exported.folder.iterdir())
    assert "model of its own" in (exported.folder / "README.md").read_text()
    told = json.loads((exported.folder / "crossroads.json").read_text())
    assert told["files"] == {"model.safetensors": sha256(exported.folder / "model.safetensors")}
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["doors"]
    elsewhere = plain_peft.logits(exported.folder, None, ids(base), tmp_path / "logits.safetensors")
    assert same(elsewhere, logits(base, load_adapter(base, lora).model))


@pytest.mark.slow
def test_a_head_of_its_own_survives_the_export(base: LocalModel, tmp_path: Path, plain_peft: PlainPeft) -> None:
    adapter = tmp_path / "doors"
    adapter.mkdir()

    def write() -> None:
        layers = last_layers(base.model, 1)
        tensors = {name: (one.float() * 1.1).to(one.dtype) for name, one in layers.parameters(base.model).items()}
        save_last_layers(adapter, layers, tensors, "tiny")

    inference.run(write)
    exported = export_merged(base, adapter, tmp_path / "model")
    assert json.loads((exported.folder / "config.json").read_text())["tie_word_embeddings"] is False
    elsewhere = plain_peft.logits(exported.folder, None, ids(base), tmp_path / "logits.safetensors")
    assert same(elsewhere, logits(base, load_adapter(base, adapter).model))


@pytest.mark.slow
def test_plain_peft_in_another_process_computes_the_same(
    base: LocalModel, tiny_model: Path, lora: Path, tmp_path: Path, plain_peft: PlainPeft
) -> None:
    elsewhere = plain_peft.logits(tiny_model, lora, ids(base), tmp_path / "logits.safetensors", base.dtype)
    assert same(elsewhere, logits(base, load_adapter(base, lora, merge=False).model))


def test_an_earlier_export_is_replaced_and_nothing_else_is(base: LocalModel, lora: Path, tmp_path: Path) -> None:
    first = export_merged(base, lora, tmp_path / "model")
    shutil.rmtree(lora)
    make_lora(lora, seed=1)
    second = export_merged(base, lora, tmp_path / "model")
    assert first.adapter["sha256"] != second.adapter["sha256"] == sha256(lora / "adapter_model.safetensors")
    (tmp_path / "mine").mkdir()
    assert fault(lambda: export_merged(base, lora, tmp_path / "mine")) == (
        f"{tmp_path / 'mine'} exists and is not an earlier export.",
        "Name a new folder, or remove that one.",
    )


def test_a_full_disk_leaves_nothing(
    base: LocalModel, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "models" / "doors"
    monkeypatch.setattr(export, "readme", full)
    assert fault(lambda: export_merged(base, lora, target)) == (
        f"The model could not be written to {target}: No space left on device.",
        "Make room, or name another folder.",
    )
    assert not list((tmp_path / "models").iterdir())
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    assert " MB, more than is free at " in fault(lambda: export_merged(base, lora, target))[0]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"adapter": {"name": 1, "sha256": 2}, "base_model": "a", "base_revision": "b"}'],
)
def test_a_folder_that_is_no_export(tmp_path: Path, content: str) -> None:
    assert manifest(tmp_path) is None
    (tmp_path / "crossroads.json").write_text(content)
    assert manifest(tmp_path) is None
    assert manifest(tmp_path / "none") is None


@pytest.mark.slow
def test_a_server_gives_the_sample_adapters_answer(real_settings: Settings, tmp_path: Path) -> None:
    """Exported, served by `transformers serve`, and asked through the column, as the adapter here is."""
    question = real_settings.question("Within how many days of delivery can an unopened kettle be sent back?")
    here = ask(FineTunedBackend(real_settings), question)
    base = load_base(real_settings.raw.model, real_settings.data)
    exported = export_merged(base, SAMPLE_ADAPTERS / "brambleworth", tmp_path / "model")
    with served_by_its_path(exported.folder, tmp_path) as url:
        backend = ServedFineTunedBackend(
            load_settings({"fine_tuned.base_url": url, "fine_tuned.served_model": str(exported.folder)})
        )
        served = ask(backend, question)
    assert (served.text, served.status) == (here.text, here.status)
    assert backend.lane == THIS_MACHINE
    digest = sha256(SAMPLE_ADAPTERS / "brambleworth" / "adapter_model.safetensors")[:12]
    assert served.model.startswith("model at 127.0.0.1:")
    assert served.model.endswith(f"(said to be adapter brambleworth, sha256 {digest}; {AS_SERVED})")
    assert served.cost.usd is not None
    assert "of training" in served.cost.basis


@contextmanager
def served_by_its_path(folder: Path, tmp_path: Path) -> Iterator[str]:
    """The address of `transformers serve FOLDER`, the command that the page gives for an exported adapter."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [Path(sys.executable).with_name("transformers"), "serve", folder, "--port", port, "--device", "cpu"]
    more = {"HF_HUB_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    with (tmp_path / "serve.log").open("wb") as log:
        server = subprocess.Popen(command, env=child_environment(more), stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            assert server.poll() is None, (tmp_path / "serve.log").read_text("utf-8", "replace")[-2000:]
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def ask(backend: FineTunedBackend | ServedFineTunedBackend, question: Any) -> Answer:
    """The answer, through the comparison."""
    *_, (_, last) = compare([backend], question, threading.Event())
    assert isinstance(last, Answer)
    assert last.status in ("ok", "truncated"), last.error
    return last
