"""Adapters: loaded over the base's own weights, refused where they do not fit, and the sample one."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backends.base import Answer, Question, Timings, Usage
from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS, adapter_folder, adapter_folders, check_name
from backends.fine_tuned.approach import FineTunedBackend
from backends.fine_tuned.pairs.files import Pair, digest, read_pairs
from backends.models import inference
from backends.models.adapter_view import AdapterView, load_adapter
from backends.models.generate import build_prompt
from backends.models.local import LocalModel
from backends.raw import RawBackend
from backends.run.compare import compare
from backends.settings import Settings, load_settings
from backends.storage.files import sha256
from tests.backends.conftest import make_tiny
from tests.backends.engines.made_adapters import make_lora

SAMPLE = SAMPLE_ADAPTERS / "brambleworth"
SAMPLE_PAIRS = SAMPLE_ADAPTERS.parent / "train.jsonl"
QUESTION = Question("What is the code of door 3?", "Be brief.", max_tokens=6)


def fault(call: Callable[[], object]) -> tuple[str, str]:
    """Cause and next step of the fault that `call` ends in."""
    with pytest.raises(BackendError) as caught:
        call()
    return caught.value.cause, caught.value.next_step


def loaded_base(model: str, data: Path | None = None) -> LocalModel:
    """A model in memory."""
    backend = RawBackend(load_settings({"raw.model": model} | ({"data": data} if data else {})))
    list(backend.load(threading.Event()))
    return backend.base


def logits(base: LocalModel, model: Any) -> Any:
    """The model's logits for every position of the question's prompt, shape (1, tokens, vocabulary)."""
    import torch

    ids = build_prompt(base, QUESTION).ids

    def forward() -> Any:
        with torch.inference_mode():
            return model(input_ids=ids.to(base.device)).logits.clone()

    return inference.run(forward)


def same(left: Any, right: Any) -> bool:
    """Whether two tensors are equal to the last bit."""
    import torch

    return inference.run(torch.equal, left, right)


def last_answer(backend: FineTunedBackend | RawBackend, question: Question) -> Answer:
    """The answer, through the comparison."""
    *_, (_, last) = compare([backend], question, threading.Event())
    assert isinstance(last, Answer)
    return last


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> LocalModel:
    return loaded_base(str(tiny_model))


@pytest.fixture(scope="module")
def trained(base: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an adapter of the tiny model. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("data") / "adapters" / "doors"
    make_lora(folder)
    card = {"base_model": "tiny", "base_revision": base.weights.revision, "data": {"pairs": 6}}
    card["sha256"] = sha256(folder / "adapter_model.safetensors")
    (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of the adapter, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "doors"))


@pytest.fixture
def settings(tiny_model: Path, trained: Path) -> Settings:
    """The tiny model with its adapter, by name."""
    return load_settings({"raw.model": str(tiny_model), "data": trained.parents[1], "fine_tuned.adapter": "doors"})


def change_card(folder: Path, **values: object) -> None:
    """Replace values of an adapter's card."""
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | values))


# --- base and adapter in one memory -------------------------------------------------------------


def test_the_base_is_the_same_to_the_last_bit_after_the_adapter_was_used(tiny_model: Path, copied: Path) -> None:
    base = loaded_base(str(Path(shutil.copytree(tiny_model, copied.parent / "tiny"))))
    parameters = {name: parameter.data_ptr() for name, parameter in base.model.named_parameters()}
    before = logits(base, base.model)
    adapter = load_adapter(base, copied).model
    adapted = logits(base, adapter)
    settings = load_settings({"raw.model": str(base.weights.folder), "fine_tuned.adapter": str(copied)})
    assert last_answer(FineTunedBackend(settings), QUESTION).usage.completion_tokens
    assert same(logits(base, base.model), before)
    assert not same(adapted, before)
    assert same(logits(base, adapter), adapted)
    assert {name: parameter.data_ptr() for name, parameter in base.model.named_parameters()} == parameters
    assert not [name for name, _ in base.model.named_modules() if "lora" in name]


def test_base_and_adapter_share_every_weight(base: LocalModel, trained: Path) -> None:
    view = load_adapter(base, trained, merge=False)
    shared, own = {}, []
    for name, parameter in view.model.named_parameters():
        if "lora_" in name:
            own.append(parameter.data_ptr())
        else:
            name = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
            shared[name] = parameter.data_ptr()
    assert shared == {name: parameter.data_ptr() for name, parameter in base.model.named_parameters()}
    assert len(own) == 2 * 7 * 2  # layers, linear layers of each, two matrices for each of those
    assert not set(own) & set(shared.values())


def test_an_adapter_is_loaded_once_and_again_when_its_file_has_changed(base: LocalModel, copied: Path) -> None:
    first = load_adapter(base, copied)
    before = logits(base, first.model)
    assert load_adapter(base, copied) is first
    shutil.rmtree(copied)
    make_lora(copied, seed=6)
    second = load_adapter(base, copied)
    assert second.digest == sha256(copied / "adapter_model.safetensors") != first.digest
    assert not same(logits(base, second.model), before)
    assert fault(lambda: first.model) == ("The adapter doors has changed meanwhile.", "Ask again.")


def test_the_answer_names_the_adapter_and_its_hash(settings: Settings, trained: Path) -> None:
    file_sha256 = sha256(trained / "adapter_model.safetensors")
    backend = FineTunedBackend(settings)
    assert backend.model.endswith("+ adapter doors")
    answer = last_answer(backend, QUESTION)
    assert answer.model == f"tiny + adapter doors (sha256 {file_sha256[:12]})"
    assert answer.status in ("ok", "truncated", "empty")
    assert [trace.name for trace in answer.traces] == ["weights", "adapter", "prompt"]
    shown = json.loads(answer.traces[1].value)
    assert (shown["name"], shown["sha256"], shown["data"]["pairs"]) == ("doors", file_sha256, 6)
    raw = last_answer(RawBackend(settings), QUESTION)
    assert (raw.model, raw.usage.prompt_tokens) == ("tiny", answer.usage.prompt_tokens)


def test_training_is_spread_over_the_answers(settings: Settings, copied: Path) -> None:
    change_card(copied, seconds=3600.0)
    settings = settings.model_copy(
        update={
            "fine_tuned": settings.fine_tuned.model_copy(update={"adapter": str(copied), "answers_per_training": 10})
        }
    )
    backend = FineTunedBackend(settings)
    list(backend.load(threading.Event()))
    assert settings.machine_usd_per_hour == Decimal("0.10")
    assert backend.cost(Usage(1, 1), Timings(latency_s=36.0)).usd == Decimal("0.001") + Decimal("0.01")


# --- adapters that do not fit -------------------------------------------------------------------


def test_a_damaged_adapter_names_both_hashes(base: LocalModel, copied: Path) -> None:
    file = copied / "adapter_model.safetensors"
    expected = sha256(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(content)
    assert fault(lambda: load_adapter(base, copied)) == (
        f"The adapter doors is damaged: its sha256 is {sha256(file)}, not {expected}.",
        "Restore the file, or train the adapter again.",
    )


def test_an_adapter_of_another_base_is_refused(base: LocalModel, copied: Path) -> None:
    change_card(copied, base_model="acme/other")
    refusal = (
        "The adapter doors does not fit tiny. It was trained for acme/other, not for tiny.",
        "Choose an adapter of this base, or set raw.model to the adapter's base.",
    )
    assert fault(lambda: load_adapter(base, copied)) == refusal
    (copied / "card.json").unlink()  # an adapter that was trained elsewhere has none
    config = json.loads((copied / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    (copied / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "acme/other"}))
    assert fault(lambda: load_adapter(base, copied)) == refusal


def test_an_adapter_that_was_trained_elsewhere_needs_no_card(base: LocalModel, copied: Path) -> None:
    with_card = load_adapter(base, copied).model
    elsewhere = Path(shutil.copytree(copied, copied.with_name("elsewhere")))
    (elsewhere / "card.json").unlink()
    view = load_adapter(base, elsewhere)
    assert (view.name, view.card) == ("elsewhere", {})
    assert same(logits(base, view.model), logits(base, with_card))


def test_an_adapter_with_other_shapes_is_refused(base_weights: Path, trained: Path, tmp_path: Path) -> None:
    wider = loaded_base(str(make_tiny(tmp_path / "tiny", base_weights, hidden=64)))
    assert wider.weights.model_id == "tiny"
    assert fault(lambda: load_adapter(wider, trained)) == (
        "The adapter doors does not fit tiny. It needs model.layers.0.mlp.down_proj.weight to be 32 wide; "
        "in the base it is 64.",
        "Choose an adapter of this base, or set raw.model to the adapter's base.",
    )


def test_an_adapter_that_lacks_tensors_is_refused(base: LocalModel, copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = copied / "adapter_model.safetensors"
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"

    def cut() -> None:
        tensors = load_file(file)
        del tensors[name]
        save_file(tensors, file, {"format": "pt"})

    inference.run(cut)
    change_card(copied, sha256=sha256(file))
    assert fault(lambda: load_adapter(base, copied)) == (
        f"The adapter doors lacks tensors, such as {name} (1 in all).",
        "Train it again, or restore the file.",
    )


@pytest.mark.parametrize("name", ["adapter_config.json", "card.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_description_of_an_adapter(base: LocalModel, copied: Path, name: str, content: bytes) -> None:
    (copied / "card.json").write_text("{}")
    (copied / name).write_bytes(content)
    assert fault(lambda: load_adapter(base, copied)) == (
        f"{name} of the adapter doors is damaged.",
        "Restore the adapter.",
    )


@pytest.mark.parametrize("missing", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_folder_without_an_adapter(base: LocalModel, copied: Path, missing: str) -> None:
    (copied / missing).unlink()
    assert fault(lambda: load_adapter(base, copied)) == (
        f"There is no adapter in {copied}.",
        "Train one with `crossroads train PAIRS`, or choose another folder.",
    )


def test_a_missing_adapter_lists_the_names_there_are(settings: Settings, trained: Path) -> None:
    settings = settings.model_copy(update={"fine_tuned": settings.fine_tuned.model_copy(update={"adapter": "windows"})})
    answer = last_answer(FineTunedBackend(settings), QUESTION)
    assert (answer.status, answer.text) == ("error", "")
    names = ", ".join(adapter_folders(settings.data))
    assert answer.error == (
        f"There is no adapter called 'windows' (known: {names}). Train one with `crossroads train PAIRS --name NAME`."
    )
    assert {"brambleworth", "doors"} <= set(names.split(", "))


def test_an_adapter_of_ones_own_goes_before_a_sample_of_its_name(trained: Path, tmp_path: Path) -> None:
    assert adapter_folder("brambleworth", tmp_path) == SAMPLE
    own = Path(shutil.copytree(trained, tmp_path / "adapters" / "brambleworth"))
    assert adapter_folder("brambleworth", tmp_path) == own
    (own / "adapter_model.safetensors").unlink()
    assert adapter_folder("brambleworth", tmp_path) == SAMPLE


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a b", "a\n"])
def test_names_that_no_adapter_can_have(name: str) -> None:
    assert fault(lambda: check_name(name)) == (
        f"{name!r} can not be an adapter's name.",
        "Use up to 64 letters, digits, dots, hyphens, underscores.",
    )


# --- pairs --------------------------------------------------------------------------------------


def test_csv_and_jsonl_give_the_same_pairs(tmp_path: Path) -> None:
    table, lines = tmp_path / "pairs.csv", tmp_path / "pairs.jsonl"
    table.write_text('\ufeffid,question,answer\n1,"Who, you?"," Me.\n"\n2,Où?,Là.\n', encoding="utf-8")
    lines.write_text(
        '{"question": "Who, you?", "answer": "Me."}\n\n{"answer": "L\\u00e0.", "question": "Où?"}\n', encoding="utf-8"
    )
    pairs = [Pair("Who, you?", "Me."), Pair("Où?", "Là.")]
    assert read_pairs(table) == read_pairs(lines) == pairs
    assert digest(pairs) != digest(pairs[::-1])


PAIR_FAULTS = {
    "no answer column": (
        "pairs.csv",
        b"question,reply\na,b\n",
        "pairs.csv has no column answer.",
        "The header must name question and answer.",
    ),
    "no columns": (
        "pairs.csv",
        b"a,b\n1,2\n",
        "pairs.csv has no column answer and question.",
        "The header must name question and answer.",
    ),
    "empty cell": (
        "pairs.csv",
        b"question,answer\na,b\nc, \n",
        "Row 3 of pairs.csv has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "short row": (
        "pairs.csv",
        b"question,answer\nalone\n",
        "Row 2 of pairs.csv has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "not JSON": (
        "pairs.jsonl",
        b'{"question": "a", "answer": "b"}\n\n{"question": "a"\n',
        "Line 3 of pairs.jsonl is not JSON.",
        "Mend or remove that line.",
    ),
    "not an object": (
        "pairs.jsonl",
        b'["a", "b"]\n',
        "Line 1 of pairs.jsonl is not an object.",
        'Write {"question": ..., "answer": ...}.',
    ),
    "not text": (
        "pairs.jsonl",
        b'{"question": "a", "answer": 5}\n',
        "Row 1 of pairs.jsonl has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "binary": ("pairs.csv", b"question,answer\n\x00\x01\x02", "pairs.csv is not text.", "Save it as UTF-8 text."),
    "empty JSONL": ("pairs.jsonl", b"\n", "pairs.jsonl is empty.", "Add rows with question and answer."),
    "header only": (
        "pairs.csv",
        b"question,answer\n",
        "pairs.csv has no pairs.",
        "Add rows with question and answer.",
    ),
    "empty CSV": ("pairs.csv", b"", "pairs.csv is empty.", "Add rows with question and answer."),
}


@pytest.mark.parametrize(("name", "content", "cause", "next_step"), PAIR_FAULTS.values(), ids=PAIR_FAULTS)
def test_faults_of_a_file_of_pairs(tmp_path: Path, name: str, content: bytes, cause: str, next_step: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert fault(lambda: read_pairs(tmp_path / name)) == (cause, next_step)


def test_a_missing_file_of_pairs(tmp_path: Path) -> None:
    assert fault(lambda: read_pairs(tmp_path / "none.csv")) == (
        f"There is no file {tmp_path / 'none.csv'}.",
        "Give a CSV or JSONL file with question and answer.",
    )


# --- the sample adapter -------------------------------------------------------------------------


def test_the_sample_adapter_is_small_and_made_from_the_sample_pairs() -> None:
    assert sum(file.stat().st_size for file in SAMPLE.rglob("*")) <= 5_000_000
    card = json.loads((SAMPLE / "card.json").read_text())
    pairs = read_pairs(SAMPLE_PAIRS)
    assert (card["data"]["pairs"], card["data"]["sha256"]) == (len(pairs), digest(pairs))
    assert card["sha256"] == sha256(SAMPLE / "adapter_model.safetensors")
    assert card["command"].startswith("crossroads train sample_docs/train.jsonl --name brambleworth ")
    assert set(card["score"]) == {"question_set", "questions", "base", "adapter"}
    assert card["score"]["questions"] >= card["score"]["adapter"] > card["score"]["base"] >= 0


def test_the_sample_adapter_answers_over_the_default_weights(real_settings: Settings) -> None:
    question = real_settings.question("Within how many days of delivery can an unopened kettle be sent back?")
    fine_tuned = FineTunedBackend(real_settings)
    answer = last_answer(fine_tuned, question)
    base = loaded_base(real_settings.raw.model, real_settings.data)
    before = logits(base, base.model)
    view = load_adapter(base, SAMPLE)
    assert isinstance(view, AdapterView)
    assert answer.model == f"{base.weights.label} + adapter brambleworth (sha256 {view.digest[:12]})"
    assert answer.status in ("ok", "truncated")
    assert not same(logits(base, view.model), before)
    assert same(logits(base, base.model), before)
