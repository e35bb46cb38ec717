"""The arithmetic behind the benchmark table, and that the command starts. Nothing is measured here."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from backends.spend.pricing import possible_tiers, price
from benchmarks.bench import HOME, Outcome
from benchmarks.figures import Figure, Goal, number, pairwise, spread
from benchmarks.paid_load import percentile, worst_rank
from benchmarks.paid_prices import expected_usd, listed_models, usages
from benchmarks.report import COLUMNS, row, table, write
from benchmarks.sse_server import Script, answer, chunked

SPEED = Figure(
    "decode", "raw column", "tokens/s", (9.9, 10.0, 9.0), "plain", (10.0, 10.0, 10.0), "ratio", Goal(0.98, "at least")
)
ADDED = Figure("paid", "first text", "ms", (12.0, 30.0), "client", (10.0, 20.0), "difference", Goal(5, "at most", "ms"))


@pytest.mark.parametrize(
    ("compared", "expected"),
    [("ratio", (0.5, 2.0)), ("difference", (-10.0, 20.0)), ("lost", (50.0, -100.0))],
)
def test_every_value_is_compared_with_its_own_neighbour(compared, expected):
    assert pairwise((10.0, 40.0), (20.0, 20.0), compared) == expected


def test_a_missing_neighbour_is_a_fault_and_not_left_out():
    with pytest.raises(ValueError, match="shorter"):
        pairwise((1.0, 2.0), (1.0,), "ratio")


def test_the_goal_judges_the_median_of_the_pairs_not_the_ratio_of_the_medians():
    one = Figure("b", "f", "s", (1.0, 2.0, 9.0), "r", (2.0, 1.0, 1.0), "ratio", Goal(2.0, "at least"))
    assert one.comparisons == (0.5, 2.0, 9.0)
    assert one.met is True
    assert Figure("b", "f", "s", (1.0, 2.0, 9.0), goal=Goal(2.0, "at most")).met is True


def test_an_outlier_does_not_move_the_verdict():
    assert SPEED.comparisons == pytest.approx((0.99, 1.0, 0.9))
    assert SPEED.met is True
    assert ADDED.met is False


def test_the_limit_itself_is_good_enough():
    assert Goal(0.98, "at least").met(0.98)
    assert Goal(5, "at most").met(5)
    assert not Goal(5, "at most").met(5.01)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.98765, "0.988"), (12.345, "12.3"), (123.4, "123"), (4551.7, "4,552"), (0.0, "0"), (100.0, "100")],
)
def test_numbers_have_three_significant_digits(value, text):
    assert number(value) == text


def test_a_spread_is_median_and_range():
    assert spread((3.0, 1.0, 2.0)) == "2 (1 – 3)"
    assert spread((3.0, 1.0, 2.0, 10.0)) == "2.5 (1 – 10)"
    assert spread((2.0,)) == "2"
    assert spread((2.0, -1.0, 4.0), signed=True) == "+2 (-1 – +4)"


def test_percentiles_are_values_that_were_measured():
    assert percentile([3.0, 1.0, 2.0, 10.0], 0.95) == 10.0
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([7.0], 0.5) == 7.0


def test_the_worst_rank_is_the_one_that_is_late_in_most_rounds():
    assert worst_rank([1.0, 5.0, 2.0, 1.0, 6.0, 99.0, 0.0, 4.0, 3.0], callers=3) == 5.0


def test_costs_are_what_the_list_says_in_every_tier_and_around_every_length():
    models = listed_models()
    assert len({model for model, _ in models}) >= 20
    model, url = next(found for found in models if found[0] == "gpt-5.4")
    compared = list(usages(possible_tiers(model, url)))
    assert {usage.service_tier for usage in compared} > {None, "flex"}
    assert [usage for usage in compared if price(usage, model, url).usd != expected_usd(usage, model, url)] == []


def test_a_row_says_everything():
    assert row(SPEED) == (
        "decode",
        "raw column",
        "9.9 (9 – 10) tokens/s",
        "plain: 10 tokens/s",
        "× 0.99 (0.9 – 1)",
        "≥ 0.98",
        "yes",
    )
    assert row(ADDED)[4:] == ("+6 (+2 – +10) ms", "≤ 5 ms", "NO")
    assert row(Figure("memory", "weights", "MB", (269.0,))) == ("memory", "weights", "269 MB", "", "", "", "")


def test_the_table_shows_every_figure():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table([SPEED, ADDED]))
    shown = console.export_text()
    assert all(text in shown for text in (*COLUMNS, *row(SPEED), *row(ADDED)))


def test_the_file_keeps_every_repeat(tmp_path: Path):
    file = tmp_path / "results" / "latest.json"
    write(file, {"date": "today"}, {"decode": Outcome((SPEED,), ("a note",), {"tokens": 100})}, {"paid": "it broke"})
    document = json.loads(file.read_text())
    assert document["date"] == "today"
    assert document["notes"] == {"decode": ["a note"]}
    assert document["failed"] == {"paid": "it broke"}
    assert document["raw"] == {"decode": {"tokens": 100}}
    (figure,) = document["figures"]
    assert figure["repeats"] == [9.9, 10.0, 9.0]
    assert figure["reference_repeats"] == [10.0, 10.0, 10.0]
    assert figure["compared_median"] == pytest.approx(0.99)
    assert figure["met"] is True


def test_the_server_sends_as_many_tokens_as_its_path_says():
    assert Script.from_path("/200/5/v1/chat/completions") == Script(200, 5.0)
    here, there = socket.socketpair()
    with here, there:
        answer(there, Script(3, 0))
        there.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: here.recv(65536), b""))
    assert received.count(b'"content":" token"') == 3
    assert b'"completion_tokens":3' in received
    assert received.endswith(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def _benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=300, check=False)


def test_help_names_the_benchmarks():
    shown = _benchmarks("--help")
    assert shown.returncode == 0
    assert all(name in " ".join(shown.stdout.split()) for name in ("start_up", "paid_overhead", "--quick"))


def test_an_unknown_benchmark_is_wrong_usage():
    refused = _benchmarks("speling")
    assert refused.returncode == 2
    assert "speling" in refused.stderr


@pytest.mark.parametrize("arguments", [("--corpus", "speling"), ("--documents", "."), ("--set", "speling")])
def test_a_corpus_or_setting_that_is_not_there_is_wrong_usage(arguments):
    refused = _benchmarks("rag", *arguments)
    assert refused.returncode == 2
