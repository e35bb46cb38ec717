"""A tiny model with random weights, and a server that plays the Hub for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.models import inference
from tests.hub_server import Hub, files_of, serve
from tests.network import Network

TINY = "acme/tiny"


def make_tiny(folder: Path, tokenizer_from: Path, hidden: int = 32) -> Path:
    """A Llama of two layers with random weights and the default model's tokenizer and chat template."""

    def write() -> None:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(7)
        config = LlamaConfig(
            vocab_size=49152,
            hidden_size=hidden,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
        )
        LlamaForCausalLM(config).bfloat16().save_pretrained(folder)

    inference.run(write)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tokenizer_from / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def tiny_model(base_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model. Copy it before changing it."""
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny", base_weights)


@pytest.fixture
def hub(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub that has the tiny model as `acme/tiny`, and through `HF_ENDPOINT` the only one there is."""
    from huggingface_hub import close_session, constants

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))  # the developer may be logged in
    with serve(TINY, files_of(tiny_model)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
    close_session()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Hosts elsewhere, as the test plays them."""
    return Network(monkeypatch)
