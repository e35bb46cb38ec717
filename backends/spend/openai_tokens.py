"""Tokens as OpenAI's models count them, without asking anybody.

tiktoken counts; the vocabularies that it would download travel inside a package, like the default weights. They are
checked against the sha256 that tiktoken itself expects of them (tiktoken_ext/openai_public.py, 0.14.0).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from backends.storage.files import replacing, sha256

if TYPE_CHECKING:
    from tiktoken import Encoding

_MODULE = "bpe_openai"
_SHA256 = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_FOLDER = "TIKTOKEN_CACHE_DIR"

_lock = threading.Lock()
_encodings: dict[Path, Encoding] = {}  # by the file of the vocabulary; guarded by _lock


def encoding_of(model: str) -> str | None:
    """The name of the vocabulary that an OpenAI model uses, also as OpenRouter names it; None for any other model."""
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model.removeprefix("openai/"))
    except KeyError:
        return None
    return name if name in _SHA256 else None


def count(text: str, encoding: str, data: Path) -> int | None:
    """How many tokens `text` has in a vocabulary of `encoding_of`; None if its file is not here. Nothing is fetched."""
    folder = Path(os.environ.get(_FOLDER) or data / "tokenizers")
    file = folder / hashlib.sha1(_URL.format(encoding).encode(), usedforsecurity=False).hexdigest()  # tiktoken's name
    with _lock:
        found = _encodings.get(file) or _read(encoding, file)
    return None if found is None else len(found.encode_ordinary(text))


def _read(name: str, file: Path) -> Encoding | None:
    """Reads the vocabulary, once per process, because that takes time and memory (docs/measurements.md)."""
    import tiktoken

    if not _is_sound(file, name) and not _unpack(name, file):
        return None
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(file.parent)
    try:
        _encodings[file] = tiktoken.get_encoding(name)
    finally:
        if before is None:
            del os.environ[_FOLDER]
        else:
            os.environ[_FOLDER] = before
    return _encodings[file]


def _is_sound(file: Path, name: str) -> bool:
    """Whether it is what tiktoken expects; anything else it would fetch anew."""
    try:
        return sha256(file) == _SHA256[name]
    except OSError:
        return False


def _unpack(name: str, file: Path) -> bool:
    """Put the package's copy in its place. False without the package, with a damaged one, or without room."""
    spec = importlib.util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        return False
    try:
        vocabulary = gzip.decompress((Path(spec.origin).parent / "data" / f"{name}.tiktoken.gz").read_bytes())
        if hashlib.sha256(vocabulary).hexdigest() != _SHA256[name]:
            return False
        with replacing(file) as part:
            part.write_bytes(vocabulary)
    except (OSError, EOFError, zlib.error):
        return False
    return True
