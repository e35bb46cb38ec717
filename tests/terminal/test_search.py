"""The terminal contract of `crossroads search`, with a real collection and the real embedder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from terminal.commands import app

PROMISED = {"document", "page", "chunk_id", "score", "start", "end", "text", "superseded"}
ADDED = {"heading", "stages", "also"}
RULES = "# Returns\n\nUnopened goods may be returned within 45 days of delivery.\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three small documents."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "returns.md").write_text(RULES)
    (folder / "leave.txt").write_text("Every employee has 27 days of paid holiday a year.")
    (folder / "kettle.txt").write_text("The error code E4 means that the tank of the kettle is empty.")
    data = tmp_path_factory.mktemp("data")
    assert invoke(data, "index", str(folder)).exit_code == 0
    return data


def invoke(data: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--set", f"data={data}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def searched(data: Path, *arguments: str) -> list[dict[str, Any]]:
    """One object per line of standard output."""
    result = invoke(data, "search", *arguments, "--json")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_question_gives_one_object(data: Path) -> None:
    (found,) = searched(data, "Within how many days can goods go back?", "--k", "2")
    assert {"query", "hits"} <= set(found)
    assert found["query"] == "Within how many days can goods go back?"
    assert found["mode"] == "sentences"
    assert found["sentences"][0]["document"] == "returns.md"
    assert set(found["sentences"][0]) == PROMISED | {"heading", "rank_score"}
    assert [set(hit) for hit in found["hits"]] == [PROMISED | ADDED] * 2
    first = found["hits"][0]
    assert (first["document"], first["page"], first["heading"]) == ("returns.md", None, "Returns")
    assert RULES[first["start"] : first["end"]] == first["text"]
    assert first["stages"]["dense"]["rank"] == 1
    assert first["stages"]["fused"]["rank"] == 1
    assert first["stages"]["sentences"]["rank"] == 1
    assert first["stages"]["reranked"] is None
    assert first["score"] == first["stages"]["dense"]["score"]


def test_a_file_of_queries_gives_one_line_each(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_bytes("\ufeffpaid holiday\r\n\r\nWas heißt E4?\nunopened goods".encode())
    found = searched(data, "--queries", str(file), "--k", "1")
    assert [one["query"] for one in found] == ["paid holiday", "Was heißt E4?", "unopened goods"]
    assert [one["hits"][0]["document"] for one in found] == ["leave.txt", "kettle.txt", "returns.md"]


def test_the_mode_can_be_chosen(data: Path) -> None:
    (words,) = searched(data, "E4", "--mode", "keyword")
    assert (words["mode"], [hit["document"] for hit in words["hits"]]) == ("keyword", ["kettle.txt"])
    (meaning,) = searched(data, "E4", "--mode", "dense", "--k", "9")
    assert (meaning["mode"], len(meaning["hits"])) == ("dense", 3)
    (nothing,) = searched(data, "zeppelin", "--mode", "keyword")
    assert nothing["hits"] == []


def test_documents_formats_and_languages_narrow_it_down(data: Path) -> None:
    (named,) = searched(data, "holiday", "--document", "kettle.txt", "--document", "returns.md", "--k", "9")
    assert {hit["document"] for hit in named["hits"]} == {"kettle.txt", "returns.md"}
    (typed,) = searched(data, "holiday", "--format", "markdown", "--k", "9")
    assert [hit["document"] for hit in typed["hits"]] == ["returns.md"]
    (set_,) = searched(data, "holiday", "--set", "rag.documents=kettle.txt; leave.txt", "--k", "9")
    assert {hit["document"] for hit in set_["hits"]} == {"kettle.txt", "leave.txt"}


def test_for_people_there_are_lines(data: Path) -> None:
    result = invoke(data, "search", "E4 kettle", "--k", "1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1] == "== E4 kettle"
    assert lines[2].endswith(
        " (dense 1, keyword 1, sentences 1) kettle.txt: The error code E4 means that the tank of the kettle is empty."
    )


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["x", "--mode", "best"], 2, "There is no mode 'best'; there are dense, keyword, fused, sentences, reranked."),
        (["x", "--mode", "reranked"], 1, "No reranker is configured. Set rag.reranker to the Hub id or the folder"),
        (["x", "--collection", "none"], 1, "The collection none is empty."),
        (["x", "--language", "xx"], 1, "No document of the collection passes the filters (language xx)."),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_a_sentence(data: Path, arguments: list[str], status: int, sentence: str) -> None:
    result = invoke(data, "search", *arguments)
    assert result.exit_code == status
    assert result.stdout == ""
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_that_is_not_text_is_a_sentence(data: Path, tmp_path: Path) -> None:
    (tmp_path / "queries.bin").write_bytes(b"\xff\xfe\x00")
    result = invoke(data, "search", "--queries", str(tmp_path / "queries.bin"))
    assert result.exit_code == 1
    assert result.stderr.endswith("could not be read (UnicodeDecodeError). Give a UTF-8 text file.\n")
