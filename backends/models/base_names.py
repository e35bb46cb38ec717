"""Whether the base that an adapter names is the one at hand, though it is called otherwise.

An adapter carries the name under which its trainer loaded the base: a repository of the Hub, a folder of some machine,
a place in the Hub's cache, a mirror, or a quantised copy (`unsloth/NAME-bnb-4bit`).
"""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Any, Literal

from backends.storage import strict_json

Kinship = Literal["the same", "a copy", "foreign"]
"""`the same`: the name is the base's. `a copy`: it means the same model elsewhere or in another precision."""

_CACHED = re.compile(
    r"models--(?P<owner>[^/\\]{1,96})--(?P<name>[^/\\]{1,96})(?:[/\\]snapshots[/\\](?P<commit>\w{7,64}))?"
)
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/", re.IGNORECASE)
_PRECISIONS = frozenset(
    (
        *("bnb", "4bit", "8bit", "int4", "int8", "nf4", "fp4", "fp8", "fp16", "bf16", "fp32", "float16", "bfloat16"),
        *("dynamic", "unsloth", "quantized", "quantised", "gptq", "awq", "gguf", "hf", "hqq", "aqlm", "exl2", "eetq"),
        *("mlx", "torchao", "w4a16", "w8a8", "w8a16", "g128", "q4", "q8", "safetensors"),
    )
)
"""Last parts of a name that say how a copy of a model is stored."""
_MOST_BYTES = 40_000_000

_compared: dict[tuple[tuple[str, int, int], ...], str] = {}


def kinship_of(claim: str, model_id: str, folder: Path | None) -> Kinship:
    """How the base that an adapter claims is related to the base `model_id`, whose weights are in `folder`."""
    claim = claim.strip()[:2_000]
    if claim in (model_id, str(folder)):
        return "the same"
    said, wanted = _name(claim), _name(model_id)
    if not said[1]:
        return "foreign"
    if said[1] == wanted[1] and (said[0] == wanted[0] or (_is_path(claim) and said[0] is None)):
        return "the same"
    return "a copy" if _stem(said[1]) == _stem(wanted[1]) else "foreign"


def snapshot_of(claim: str) -> str:
    """The commit that a folder of the Hub's cache stands for; "" for any other name."""
    found = _CACHED.search(claim[:2_000])
    return (found["commit"] or "") if found else ""


def _name(text: str) -> tuple[str | None, str]:
    """Owner, if one is named, and name of a model, both in lower case."""
    if found := _CACHED.search(text):
        return found["owner"].casefold(), found["name"].casefold()
    text = _ADDRESS.sub("", text, count=1).partition("@")[0].removesuffix(".git").rstrip("/\\ ")
    for page in ("/tree/", "/resolve/", "/blob/"):
        text = text.partition(page)[0]
    path = PureWindowsPath(text)  # takes / and \
    owner = None if _is_path(text) or len(path.parts) != 2 else path.parts[0].casefold()
    return owner, path.name.casefold()


def _is_path(text: str) -> bool:
    return text.startswith((".", "/", "~")) or "\\" in text or text.rstrip("/").count("/") > 1 or text[1:2] == ":"


def _stem(name: str) -> str:
    """A model's name without what only says how its weights are stored."""
    parts = re.split(r"[-_.]", name)
    while len(parts) > 1 and parts[-1] in _PRECISIONS:
        parts.pop()
    return "-".join(parts)


def other_vocabulary(adapter: Path, base: Path) -> str:
    """What tells the tokenizer beside an adapter from the base's, in a sentence; "" if nothing does, or none is there.

    Added tokens may differ: they are the padding that trainers add. The vocabulary may not.
    """
    files = [folder / "tokenizer.json" for folder in (adapter, base)]
    if not all(file.is_file() and file.stat().st_size <= _MOST_BYTES for file in files):
        return ""
    key = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    if key not in _compared:
        _compared[key] = _difference(*(_vocabulary(file) for file in files))
    return _compared[key]


def _difference(own: dict[str, int], there: dict[str, int]) -> str:
    others = sum(1 for token, place in own.items() if there.get(token) != place)
    if not there or (others == 0 and len(own) <= len(there)):
        return ""
    return f"Its tokenizer is another one: {len(own):,} tokens, of which {others:,} are not the base's {len(there):,}."


def _vocabulary(file: Path) -> dict[str, int]:
    """Token to number, of a file in the format of the library tokenizers; empty if it is none."""
    try:
        model: Any = strict_json.an_object(file.read_bytes()).get("model")
    except (OSError, ValueError):
        return {}
    tokens = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(tokens, list):  # Unigram: pairs of a token and its score
        return {str(pair[0]): place for place, pair in enumerate(tokens) if isinstance(pair, list) and pair}
    return (
        {token: place for token, place in tokens.items() if isinstance(place, int)} if isinstance(tokens, dict) else {}
    )
