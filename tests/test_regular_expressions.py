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

from backends.remote.redaction import Redaction

ROOT = Path(__file__).parent.parent
PACKAGES = ("backends", "evaluation", "terminal", "ui")
METHODS = ("match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn")
MOST = 12.0
"""How much longer 100 kB may take than 10 kB: about 10 times in linear time, 100 in quadratic time."""
SURE = 10
"""So many ratios that are all far too large are no accident of a busy machine."""
ROUNDS = 100
"""How often both are timed, one after the other, until one pair is near enough: other work only makes a run longer."""

OWN_TEXT = {
    "backends/remote/faults.py": "a number of seconds that we wrote ourselves",
}
"""Files whose expressions never see a long text from outside, and why."""

BOUNDED = {
    "backends/remote/request.py": "the names of our own settings in an error message, cut to some characters",
    "backends/facts.py": "a key fact, which is looked for literally but for single characters between its pieces",
}
"""Files with an expression that is put together when it is used, and why it is linear."""


ENGINES = ("re", "regex", "re2", "fnmatch")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SECRET = "\u00a7\u00b6-%&x<9~\u00df"
"""A key whose characters no other test has, so that expressions are made for them."""


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


def calls(module: ast.AST) -> Iterator[ast.Call]:
    """Calls of functions of `re`."""
    for node in ast.walk(module):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        if called and ast.unparse(node.func) in {"re.compile", *(f"re.{method}" for method in METHODS)}:
            yield node


def held_by(file: Path) -> dict[str, re.Pattern[Any]]:
    """The expressions that a module holds or has imported, by name."""
    module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}


@cache
def expressions() -> tuple[Expression, ...]:
    """Every one that a module holds, that is written where it is used, or that is made there, with what is called."""
    found: dict[tuple[object, int, str], Expression] = {}
    never_called: dict[tuple[object, int], Expression] = {}

    def add(where: str, pattern: re.Pattern[Any], methods: set[str]) -> None:
        never_called.setdefault((pattern.pattern, pattern.flags), Expression(where, pattern, "search"))
        for method in methods:
            found.setdefault((pattern.pattern, pattern.flags, method), Expression(where, pattern, method))

    writers = [file for file, tree in sources().items() if list(calls(tree))]
    names = {name for file in writers for name in held_by(file)}
    for file, tree in sources().items():
        place, methods = file.relative_to(ROOT), used(file)
        if place.as_posix() in OWN_TEXT or not (file in writers or names & methods.keys()):
            continue
        held = held_by(file)
        for name, value in held.items():
            add(f"{place} {name}", value, methods[name])
        for call in calls(tree):
            assert isinstance(call.func, ast.Attribute)
            if isinstance(call.args[0], ast.Constant) and call.args[0].value not in {
                one.pattern for one in held.values()
            }:
                method = "search" if call.func.attr == "compile" else call.func.attr
                add(f"{place}:{call.lineno}", re.compile(call.args[0].value, flags_of(call)), {method})
    for pattern in MADE_FROM_A_SECRET:
        begins = pattern.pattern.startswith("(")  # the others look on from where one ended
        add("backends/remote/redaction.py", pattern, {"search" if begins else "match"})
    for (text, flags), one in never_called.items():  # by its name, that is
        if not any(known[:2] == (text, flags) for known in found):
            found[text, flags, one.method] = one
    return tuple(found.values())


def flags_of(call: ast.Call) -> int:
    given = [*call.args[1:], *(word.value for word in call.keywords)]
    named = [node.attr for one in given for node in ast.walk(one) if isinstance(node, ast.Attribute)]
    return sum(int(getattr(re, name)) for name in named if isinstance(getattr(re, name, None), re.RegexFlag))


def made_from_a_secret() -> list[re.Pattern[Any]]:
    """The expressions that redaction makes of a key and has not made before."""
    made: list[re.Pattern[Any]] = []
    write = re.compile

    def noted(*given: Any) -> re.Pattern[Any]:
        made.append(write(*given))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(re, "compile", noted)
        assert Redaction([SECRET]).text(f"a{SECRET}b") == "a[key]b"
    return made


MADE_FROM_A_SECRET = made_from_a_secret()  # while tests are collected, as none has had any made yet


def test_an_expression_that_is_put_together_where_it_is_used_is_known() -> None:
    put_together: dict[str, set[str]] = defaultdict(set)
    for file, tree in sources().items():
        inside = {call for one in ast.walk(tree) if isinstance(one, FUNCTIONS) for call in calls(one)}
        for call in calls(tree):
            if not isinstance(call.args[0], ast.Constant) and (
                call in inside or ast.unparse(call.func) != "re.compile"
            ):
                put_together[ast.unparse(call.func)].add(file.relative_to(ROOT).as_posix())
    made = put_together.pop("re.compile")
    assert set().union(*put_together.values()) == set(BOUNDED)
    assert made - set(BOUNDED) == {"backends/remote/redaction.py"}
    assert len(MADE_FROM_A_SECRET) > 4


def test_expressions_are_written_with_re_and_nothing_else() -> None:
    others = {
        f"{file.relative_to(ROOT)}: {ast.unparse(node)}"
        for file, tree in sources().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and node.module in ENGINES)
        or (
            isinstance(node, ast.Import)
            and any(one.name in ENGINES and (one.asname or one.name != "re") for one in node.names)
        )
    }
    assert others == set()


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


def seconds(run: Callable[[str], object], *texts: str) -> float:
    """Processor time of this thread, so that other work on the machine does not count, nor collecting garbage.

    What comes of each text is kept until all are done: so many short texts take as much memory as a long one.
    """
    gc.disable()
    try:
        began = time.thread_time()
        kept = [run(text) for text in texts]
        spent = time.thread_time() - began
        del kept
        return spent
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
    # cubic time would be 8, 64 and 1,000, quadratic 4, 16 and 100, linear 2, 4 and 10
    steps = ((500, 1_000, 6), (1_000, 4_000, 13), (1_000, 10_000, 40))
    for short, long, enough in steps:
        if (ratio := growth_of(one, text_of(attack, short), text_of(attack, long), enough)) > enough:
            return ratio ** (1 / math.log10(long / short))
    ratio = float("inf")
    middle = [text_of(attack, 10_000) for _ in range(10)]  # each of its own: they fill the caches as the long one does
    large = text_of(attack, 100_000)
    for turn in range(ROUNDS):
        shorter = seconds(one.run, *middle) / 10
        ratio = min(ratio, seconds(one.run, large) / shorter)
        if ratio <= MOST or (turn >= SURE and ratio >= 4 * MOST):
            break
    return ratio


def growth_of(one: Expression, short: str, long: str, enough: float) -> float:
    """How much longer the longer text takes. More than `enough` is timed again: the smallest of some ratios counts."""
    ratio = float("inf")
    for _ in range(SURE + 1):
        shorter = max(seconds(one.run, *[short] * 5) / 5, 1e-6)
        ratio = min(ratio, seconds(one.run, long) / shorter)
        if ratio <= enough:
            break
    return ratio


def slow(one: Expression) -> list[str]:
    found = []
    for attack in worst(one):
        if (ratio := times_longer(one, attack)) > MOST:
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
