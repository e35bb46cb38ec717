"""Every regular expression of the product takes linear time on texts that were made to be slow for it.

The texts are made from the expression itself: pieces that it matches, one of them again and again, and an end that it
does not match. What is slowest on short texts is timed on 10 kB and on 100 kB.
"""

from __future__ import annotations

import ast
import gc
import importlib
import math
import random
import re
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("backends", "evaluation", "terminal", "ui")
METHODS = ("match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn")
MOST = 16.0
"""How much longer 100 kB may take than 10 kB: 10 to 12 times in linear time, and some more where a text that no longer
fits the processor's cache is read on a busy machine. In quadratic time it is 100.
"""

OWN_TEXT = {
    "backends/remote/faults.py": "a number of seconds that we wrote ourselves",
}
"""Files whose expressions never see a long text from outside, and why."""

BOUNDED = {
    "backends/remote/request.py": "the names of our own settings in an error message, cut to some characters",
    "backends/rag/search/keyword.py": "one character class, matched at the start of a word",
    "evaluation/metrics.py": "a key fact, which is looked for literally",
}
"""Files with an expression that is put together when it is used, and why it is linear."""


@dataclass(frozen=True)
class Expression:
    where: str
    pattern: re.Pattern[Any]
    method: str

    @property
    def run(self) -> Callable[[str], object]:
        method = getattr(self.pattern, self.method)
        binary = isinstance(self.pattern.pattern, bytes)

        def as_written(text: str) -> Any:
            return text.encode("latin-1", "replace") if binary else text

        if self.method in ("sub", "subn"):
            method = (lambda found: lambda text: found(b"" if binary else "", text))(method)
        if self.method in ("finditer", "findall"):  # which find the same; keeping what is found takes time of its own
            return lambda text: deque(self.pattern.finditer(as_written(text)), 0)
        return lambda text: method(as_written(text))


# --- which expressions there are ----------------------------------------------------------------


@cache
def sources() -> dict[Path, ast.Module]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return {file: ast.parse(file.read_text("utf-8")) for file in files}


def used(file: Path) -> dict[str, set[str]]:
    """The methods that are called on each name in a file."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(sources()[file]):
        if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
            found[node.value.id].add(node.attr)
    return found


def calls(module: ast.Module) -> Iterator[ast.Call]:
    """Calls of functions of `re`."""
    for node in ast.walk(module):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        if called and ast.unparse(node.func) in {"re.compile", *(f"re.{method}" for method in METHODS)}:
            yield node


@cache
def expressions() -> tuple[Expression, ...]:
    """Every one that a module holds or that is written where it is used, with the method that is called on it."""
    found: dict[tuple[object, int, str], Expression] = {}

    def add(where: str, pattern: re.Pattern[Any], methods: set[str]) -> None:
        for method in methods:
            found.setdefault((pattern.pattern, pattern.flags, method), Expression(where, pattern, method))

    for file, tree in sources().items():
        place = file.relative_to(ROOT)
        if place.as_posix() in OWN_TEXT or not (written := list(calls(tree))):
            continue
        methods, held = used(file), set()
        for name, value in vars(importlib.import_module(".".join(place.with_suffix("").parts))).items():
            if isinstance(value, re.Pattern):
                held.add(value.pattern)
                add(f"{place} {name}", value, methods[name])
        for call in written:
            assert isinstance(call.func, ast.Attribute)
            if isinstance(call.args[0], ast.Constant) and call.args[0].value not in held:
                flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(call) else 0
                method = "search" if call.func.attr == "compile" else call.func.attr
                add(f"{place}:{call.lineno}", re.compile(call.args[0].value, flags), {method})
    return tuple(found.values())


def test_an_expression_that_is_put_together_where_it_is_used_is_known() -> None:
    unknown = {
        file.relative_to(ROOT).as_posix()
        for file, tree in sources().items()
        for call in calls(tree)
        if not isinstance(call.args[0], ast.Constant) and ast.unparse(call.func) != "re.compile"
    }
    assert unknown == set(BOUNDED)


# --- texts that are slow for an expression ------------------------------------------------------


def pieces(tree: Any, choice: random.Random) -> Iterator[str]:
    """One text that the expression matches, more or less, in pieces."""
    for operator, value in tree:
        match str(operator):
            case "LITERAL":
                yield chr(value)
            case "NOT_LITERAL":
                yield "a" if value != ord("a") else "b"
            case "ANY":
                yield "a"
            case "IN":
                yield member(value, choice)
            case "BRANCH":
                yield from pieces(choice.choice(value[1]), choice)
            case "SUBPATTERN":
                yield from pieces(value[3], choice)
            case "ATOMIC_GROUP":
                yield from pieces(value, choice)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                for _ in range(min(max(value[0], choice.randint(0, 1)), 20)):
                    yield from pieces(value[2], choice)


def member(items: Any, choice: random.Random) -> str:
    """A character of a class."""
    if str(items[0][0]) == "NEGATE":
        written = re.compile("[" + "".join(re.escape(c) for c in "".join(alphabet(items[1:]))) + "]")
        return choice.choice([c for c in "a1 -x\n!<" if not written.match(c)] or ["\u00a7"])
    return choice.choice(list(alphabet(items)) or ["a"])


def alphabet(items: Any) -> Iterator[str]:
    """Characters that the items of a class, or of a whole expression, speak of."""
    for operator, value in items:
        match str(operator):
            case "LITERAL" | "NOT_LITERAL":
                yield chr(value)
            case "RANGE":
                yield chr(value[0])
            case "CATEGORY":
                yield {"DIGIT": "1", "SPACE": " ", "WORD": "a"}.get(str(value).rpartition("_")[2], "a")
            case "IN":
                yield from alphabet(value)
            case "BRANCH":
                for branch in value[1]:
                    yield from alphabet(branch)
            case "SUBPATTERN":
                yield from alphabet(value[3])
            case "ATOMIC_GROUP":
                yield from alphabet(value)
            case "ASSERT" | "ASSERT_NOT":
                yield from alphabet(value[1])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from alphabet(value[2])


def attacks(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """Beginnings, what is repeated, and ends."""
    choice = random.Random(3)
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(text, pattern.flags & (re.VERBOSE | re.IGNORECASE | re.DOTALL | re.MULTILINE))
    examples = [list(pieces(tree, choice)) for _ in range(12)]
    starts = {"".join(example[:count]) for example in examples[:4] for count in range(len(example) + 1)}
    letters = list(dict.fromkeys([*"a1 ", *alphabet(tree)]))
    letters = letters if len(letters) <= 16 else choice.sample(letters, 16)
    pairs = ["".join(pair) for pair in permutations(letters, 2)]
    repeated = {*letters, *("".join(one) for one in examples), *choice.sample(pairs, min(len(pairs), 20)), *starts}
    beginnings = choice.sample(sorted(starts), min(len(starts), 5))
    wholes = [part for part in sorted(repeated) if part and len(part) < 60]
    wholes = wholes if len(wholes) <= 30 else choice.sample(wholes, 30)
    wholes += [letter for letter in letters if letter not in wholes]
    return [(start, part, end) for start in {"", *beginnings} for part in wholes for end in ("\x00", "a")]


def text_of(attack: tuple[str, str, str], size: int) -> str:
    start, part, end = attack
    return start + part * (size // len(part)) + end


def seconds(run: Callable[[str], object], text: str, times: int = 1) -> float:
    """Processor time of this thread, so that other work on the machine does not count, nor collecting garbage."""
    gc.disable()
    try:
        began = time.thread_time()
        for _ in range(times):
            run(text)
        return time.thread_time() - began
    finally:
        gc.enable()


def worst(one: Expression) -> list[tuple[str, str, str]]:
    """The attacks that are slowest on short texts, and those that grow most. The shortest show what would never end."""
    growth: dict[tuple[str, str, str], tuple[float, float]] = {}
    for attack in attacks(one.pattern):
        short = seconds(one.run, text_of(attack, 100))
        longer = seconds(one.run, text_of(attack, 1600 if short < 0.0002 else 200))
        growth[attack] = longer, longer / max(short, 1e-6)
    by_time = sorted(growth, key=lambda attack: growth[attack][0], reverse=True)[:3]
    by_growth = sorted(growth, key=lambda attack: growth[attack][1], reverse=True)[:3]
    return list(dict.fromkeys([*by_time, *by_growth]))


def times_longer(one: Expression, attack: tuple[str, str, str]) -> float:
    """How much longer 100 kB takes than 10 kB, or shorter texts where these say enough already."""
    steps = ((500, 1_000, 6), (1_000, 10_000, 40))  # cubic time would be 8 and 1,000, quadratic 4 and 100
    for short, long, enough in steps:
        if (ratio := growth_of(one, text_of(attack, short), text_of(attack, long))) > enough:
            return ratio ** (1 / math.log10(long / short))
    shorter = longer = float("inf")
    middle, large = text_of(attack, 10_000), text_of(attack, 100_000)
    for _ in range(40):  # noise only makes a run longer
        shorter = min(shorter, seconds(one.run, middle, 10) / 10)
        longer = min(longer, seconds(one.run, large))
        if not MOST * shorter < longer < 4 * MOST * shorter:
            break
    return longer / shorter


def growth_of(one: Expression, short: str, long: str) -> float:
    """How much longer the longer text takes, at least."""
    shorter = max(seconds(one.run, short, 5) / 5, 1e-6)
    return min(seconds(one.run, long) for _ in range(2)) / shorter


def slow(one: Expression) -> list[str]:
    found = []
    for attack in worst(one):
        if (ratio := times_longer(one, attack)) > MOST and (ratio > 40 or times_longer(one, attack) > MOST):
            found.append(f"{one.where} {one.method} {one.pattern.pattern!r}: {attack!r} takes {ratio:.0f} times longer")
            break
    return found


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\w*\d\w*", "findall"),
        (r"\s*\|?[\s:|-]+\|?\s*", "fullmatch"),
        (r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*$", "match"),
        (r"^\W+|\W+$", "sub"),
        (r"<c(?: (?!t=\"str\")[^ >]*)*>", "findall"),
        (r"^[\s>*_#-]*(?:\d+\s*[.):]\s*)?[*_]*(q|a)\s*\d*\s*[*_]*\s*[:.)\]-][\s*_]*(.*?)[\s*_]*$", "match"),
        (r",?\s+(and|but)\s+", "finditer"),
    ],
)
def test_expressions_that_were_slow_are_found_out(pattern: str, method: str) -> None:
    assert slow(Expression("here", re.compile(pattern), method))


def test_every_expression_takes_linear_time() -> None:
    found = expressions()
    assert len(found) > 80
    assert [line for one in found for line in slow(one)] == []
