"""OpenAI's own tokenizer, offline: exact counts, files checked, nothing fetched."""

from __future__ import annotations

import gzip
import socket
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from backends.spend import openai_tokens
from backends.spend.openai_tokens import count, encoding_of


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vocabulary configured, and no way to fetch one."""

    def refused(*_: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package in the place of the real one."""
    folder = tmp_path / "package"
    (folder / "data").mkdir(parents=True)
    spec = ModuleSpec("bpe_openai", None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(openai_tokens.importlib.util, "find_spec", lambda name: spec if name == "bpe_openai" else None)
    return folder


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-4o-2024-11-20", "o200k_base"),
        ("openai/gpt-5-mini", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-oss-20b", None),  # its chat format is another one
        ("claude-sonnet-4-5", None),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", None),
        ("", None),
    ],
)
def test_the_vocabulary_goes_by_the_models_name(model: str, encoding: str | None) -> None:
    assert encoding_of(model) == encoding


@pytest.mark.parametrize(
    ("text", "cl100k", "o200k"),
    [  # OpenAI Cookbook, "How to count tokens with tiktoken"
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
        ("", 0, 0),
        ("<|endoftext|>", 7, 7),  # as text, not as the special token
    ],
)
def test_tokens_are_counted_as_openai_counts_them(text: str, cl100k: int, o200k: int, tmp_path: Path) -> None:
    assert (count(text, "cl100k_base", tmp_path), count(text, "o200k_base", tmp_path)) == (cl100k, o200k)


def test_a_damaged_copy_is_mended_from_the_package(tmp_path: Path) -> None:
    assert count("2 + 2 = 4", "cl100k_base", tmp_path / "sound") == 7
    (sound,) = (tmp_path / "sound" / "tokenizers").iterdir()
    file = tmp_path / "damaged" / "tokenizers" / sound.name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert count("2 + 2 = 4", "cl100k_base", tmp_path / "damaged") == 7
    assert file.stat().st_size > 1_000_000


def test_a_folder_of_vocabularies_is_used_where_one_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "own"))
    assert count("2 + 2 = 4", "cl100k_base", tmp_path / "data") == 7
    assert len(list((tmp_path / "own").iterdir())) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "content", [None, b"no gzip", gzip.compress(b"IQ== 0\n", mtime=0), gzip.compress(b"IQ== 0\n", mtime=0)[:20]]
)
def test_without_a_sound_package_nothing_is_counted(content: bytes | None, package: Path, tmp_path: Path) -> None:
    if content is not None:
        (package / "data" / "o200k_base.tiktoken.gz").write_bytes(content)
    assert count("2 + 2 = 4", "o200k_base", tmp_path / "data") is None
    assert not list((tmp_path / "data").rglob("*"))


def test_without_room_nothing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "tokenizers").write_text("a file where the folder belongs")
    assert count("2 + 2 = 4", "o200k_base", tmp_path) is None
