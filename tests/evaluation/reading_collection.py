"""A small collection, pairs about it, and a tiny base that has room for the prompts of RAG."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from backends.fine_tuned.pairs.files import Pair
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import QuickEmbedder

DOCUMENTS = {
    "returns.md": "# Returns\n\nAn opened kettle may be returned within 28 days. "
    "An opened grinder may be returned within 21 days. Refunds of opened goods are approved by Mara Lindqvist.",
    "leave.txt": "Every employee has 27 days of paid holiday a year. Unused days are lost in March.",
}
PAIRS = (
    Pair("Within how many days may an opened kettle be returned?", "Within 28 days."),
    Pair("Within how many days may an opened grinder be returned?", "An opened grinder is returned within 21 days."),
    Pair("Who approves refunds of opened goods?", "They are approved by Mara Lindqvist."),
    Pair("How many days of paid holiday has an employee?", "27 days"),
    Pair("When are unused days lost?", "Unused days are lost in March."),
    Pair("How many days of paid holiday has a manager?", "A manager has 33 days of paid holiday."),
    Pair("May an opened toaster be returned?", "The documents do not say."),
)
"""Five whose answers are in the documents, one whose answer is not, and one that is to be refused."""


def roomy(tiny_model: Path, folder: Path) -> Path:
    """A copy of the tiny model with a context of 2,048 tokens."""
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return folder


def filled(
    data: Path,
    documents: Path,
    quick: QuickEmbedder,
    collection: str = "handbook",
    texts: Mapping[str, str] = DOCUMENTS,
) -> Index:
    """The collection, with the documents written below `documents` first."""
    documents.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (documents / name).write_text(text)
    index = Index(data, collection, quick, RagSettings(collection=collection))
    fill(index, documents)
    return index
