"""The same collection with its vectors on a real Chroma server on loopback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import NEVER, TEXTS, fill, nearest_texts
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

pytestmark = pytest.mark.slow


@pytest.fixture
def index(url: str, data: Path, quick: QuickEmbedder, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Index(data, "on a server", quick, RagSettings(chroma_url=url, **SETTINGS))


def names_on(index: Index) -> list[str]:
    """The collections on the server that belong to this library."""
    store = index._writer.store("any")
    store._connect("", {})
    assert store._client
    return sorted(one.name for one in store._client.list_collections())


def test_everything_works_as_in_a_folder(index: Index, folder: Path, data: Path) -> None:
    before = names_on(index)
    assert fill(index, folder)["leave.txt"] == "indexed"
    assert index.health().sentence == "The collection on a server has 5 chunks."
    assert list((data / "index").glob("v-*")) == []
    assert nearest_texts(index, "paid holiday", 1) == [TEXTS["leave.txt"]]
    assert nearest_texts(index, "paid holiday", 9, ["manual.pdf"]) != []
    (folder / "leave.txt").write_text("Every employee has 31 days.")
    assert fill(index, folder)["leave.txt"] == "replaced"
    index.delete("manual.pdf")
    assert index.count() == 3
    index.check()
    index.restore("manual.pdf")
    list(index.rebuild(NEVER))
    list(index.rechunk(64, 0, NEVER))
    index.check()
    assert len(names_on(index)) == len(before) + 1
    index.drop()
    assert names_on(index) == before


def test_a_server_that_lost_the_collection(index: Index, folder: Path) -> None:
    fill(index, folder)
    store = index._writer.store(index._writer.serving().store)
    assert store._client
    store._client.delete_collection(store.name)
    assert index.health().state == "missing"
    with pytest.raises(BackendError, match=r"^The vectors of the collection on a server are missing\."):
        index.nearest(index._embedder.embed_query("x"), 1)
    list(index.rebuild(NEVER))
    index.check()


def test_moving_from_the_folder_to_the_server_and_back(index: Index, folder: Path, data: Path) -> None:
    local = Index(data, index.collection, QuickEmbedder(), RagSettings(**SETTINGS))
    fill(local, folder)
    local.check()
    assert (index.health().state, index.health().can_rebuild) == ("missing", True)
    list(index.rebuild(NEVER))
    index.check()
    assert local.health().state == "missing"
    list(local.rebuild(NEVER))
    local.check()


def test_a_server_that_is_not_there(data: Path, quick: QuickEmbedder, folder: Path, index: Index) -> None:
    fill(index, folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gone = Index(data, index.collection, quick, RagSettings(chroma_url=f"http://127.0.0.1:{port}", **SETTINGS))
    health = gone.health()
    assert (health.state, health.can_rebuild) == ("missing", False)
    assert health.sentence == f"The Chroma server at 127.0.0.1:{port} cannot be reached."
    assert health.next_step == "Start it, or correct rag.chroma_url."
    with pytest.raises(BackendError, match="cannot be reached"):
        fill(gone, folder)
    index.check()


@pytest.mark.parametrize(
    "url", ["nonsense", "localhost:8000", "http://", "http://a:b", "http://[", "ftp://127.0.0.1:8000"]
)
def test_what_is_no_address_is_named(data: Path, quick: QuickEmbedder, folder: Path, url: str) -> None:
    with pytest.raises(BackendError, match=r"rag\.chroma_url is not the address of a server\. Write it as http://host"):
        fill(Index(data, "x", quick, RagSettings(**SETTINGS, chroma_url=url)), folder)
