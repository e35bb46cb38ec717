"""Questions that rules make of sentences of real manuals: conditions, purposes, definitions, options, reasons."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from benchmarks.reading.exercises import MOST_SENTENCES, Exercise, Group
from benchmarks.reading.manual_text import Told
from benchmarks.reading.names import phrases, words
from benchmarks.reading.prompt import Evidence

_LONGEST_ANSWER = 110
_DO = frozenset(
    words(
        "add adjust apply ask browse change check choose click close configure consider connect contact copy create "
        "delete disable drag double-click edit enable enter export follow give go hold import insert install keep "
        "launch leave make mark move open paste pick place press provide put remove rename replace resize restart run "
        "save select send set specify start store switch tap tick try turn type unplug use wait write"
    )
)
_IF = re.compile(r"(If|When|Once|After) ([^,;:()]{8,90}), (?:then )?([^;()]{12,130})\.")
_TO = re.compile(r"(?:In order to|To) ([a-z][^,;:()]{6,80}), ([^;()]{8,120})\.")
_IS = re.compile(
    r"((?:(?:The|A|An) )?[A-Za-z][\w -]{2,32}?) (is|are) ((?:an?|the|used|designed|intended) [^;()]{12,120})\."
)
_LETS = re.compile(
    r"((?:(?:The|This) )?[A-Za-z][\w -]{3,36}?) (allows you to|lets you|enables you to) ([^;()]{8,110})\."
)
_WHY = re.compile(r"([^;:(),]{12,90}),? because ([^;()]{10,110})\.")
_VAGUE = re.compile(
    r"^(this|that|these|those|it|they|there|here|which|what|he|she|we|note|one|another|such|all)\b", re.I
)
_EMPTY = re.compile(
    r"^I (want|wish|do not want|like)$|^(required|necessary|needed|desired|possible)$|\bsuch\b|several times"
)
"""What no reader could know the sentence by."""

_EMPTY_SUBJECT = re.compile(
    r"\b(value|option|function|arguments?|following|default|first|last|second|next|name|number|result|rest|type)$", re.I
)
_PERSON = (
    ("you are", "I am"),
    ("you have", "I have"),
    ("your", "my"),
    ("yours", "mine"),
    ("yourself", "myself"),
    ("you", "I"),
)
_SYNONYMS = """
    delete: remove; directory: folder; display: show; displayed: shown; create: make; start: launch; choose: pick;
    select: pick; change: alter; specify: give; want: wish; use: employ; begin: start; error: fault; option: switch;
    print: output; picture: image; computer: machine; allow: permit; large: big; find: locate; disable: turn off;
    enable: turn on; automatically: by itself; document: text; insert: put in; keyboard: keys; message: mail;
    repository: repo; move: shift; copy: duplicate
"""
_WORDS = [tuple(one.split(": ")) for one in phrases(_SYNONYMS)]

Asked = tuple[str, str]
"""A question and its answer."""


def manual_groups(sentences: Sequence[Told]) -> Callable[[random.Random, int], Group]:
    """A function that draws a group: sentences of one manual, questions about some of them and about others of it."""
    documents: dict[str, list[tuple[Told, list[str], str]]] = defaultdict(list)
    for told in sentences:
        questions, answer = made_of(told)
        documents[told.document].append((told, questions, answer))
    usable = [rows for rows in documents.values() if sum(bool(row[1]) for row in rows) >= 2 and len(rows) >= 4]

    def draw_one(draw: random.Random, count: int) -> Group:
        return _group(draw.choice(usable), draw, count)

    return draw_one


def _group(rows: Sequence[tuple[Told, list[str], str]], draw: random.Random, count: int) -> Group:
    start = draw.randrange(max(1, len(rows) - 12))
    near = list(rows[start : start + 16])
    if sum(bool(row[1]) for row in near) < 2:
        near = list(rows)
    askable = [row for row in near if row[1]]
    told = draw.sample(askable, min(len(askable), draw.choice((1, 2, 3))))
    others = [row for row in near if row not in told]
    draw.shuffle(others)
    shown = told + others[: max(0, draw.randrange(1, MOST_SENTENCES + 1) - len(told))]
    draw.shuffle(shown)
    exercises: list[Exercise] = []
    for _ in range(count * 2):
        row = draw.choice(askable if draw.random() < 0.55 else told)
        question, number = draw.choice(row[1]), shown.index(row) + 1 if row in shown else 0
        question = _in_other_words(question, draw)
        if len(exercises) == count or any(one.question == question for one in exercises):
            continue
        parts = ((row[2], number),) if number else ()
        exercises.append(Exercise(question, parts, ((row[2],),) if number else (), "manual" if number else "missing"))
    return Group(tuple(_evidence(row[0]) for row in shown), tuple(exercises), shown[0][0].document)


def _evidence(told: Told) -> Evidence:
    text = f"{told.option}: {told.text}" if told.option else told.text
    return Evidence(told.document, told.heading, text)


def made_of(told: Told) -> tuple[list[str], str]:
    """Questions that a sentence answers, and the answer; no question if no rule fits."""
    for rule in (_option, _condition, _purpose, _reason, _possibility, _definition):
        questions, answer = rule(told)
        if questions and len(answer) <= _LONGEST_ANSWER:
            return questions, answer
    return [], ""


def _nothing() -> tuple[list[str], str]:
    return [], ""


def _option(told: Told) -> tuple[list[str], str]:
    text = told.text.rstrip(".")
    first = text.split(" ", 1)[0].lower()
    if not told.option or len(text) > 110 or not first.isalpha() or first.endswith("s") or _VAGUE.match(text):
        return _nothing()
    command, what = told.document.removesuffix(" manual"), text[:1].lower() + text[1:]
    if first not in _DO and first not in _MORE_VERBS:
        return _nothing()
    return [
        f"Which option makes {command} {what}?",
        f"What do I pass to {command} to {what}?",
        f"How is {command} told to {what}?",
        f"I want {command} to {what}. What is the option for that?",
    ], told.option


_MORE_VERBS = frozenset(
    words(
        "accept allow append assume avoid bind break cause check compare compress compute consider convert count "
        "describe detect do dump emit exclude execute expand extract fail fetch filter find fix force format generate "
        "ignore include inhibit invoke limit list load look merge never omit only operate output overwrite perform "
        "prefer preserve print process produce prompt pull push quote read recurse refuse report request require "
        "resolve restore retry reverse scan search show sign skip sort split stop strip suppress sync tell treat "
        "truncate unset update verify warn"
    )
)


def _condition(told: Told) -> tuple[list[str], str]:
    if not (found := _IF.fullmatch(told.text)):
        return _nothing()
    word, condition, rest = found[1].lower(), _as_asked(found[2]), found[3]
    if _VAGUE.match(condition) or _EMPTY.search(condition):
        return _nothing()
    if rest.split(" ", 1)[0] in _DO or rest.startswith(("you can ", "you should ", "you must ", "you need to ")):
        answer = re.sub(r"^you (?:can|should|must|need to) ", "", rest)
        return [f"What should I do {word} {condition}?", f"What is to be done {word} {condition}?"], answer
    return [f"What happens {word} {condition}?", f"What is the consequence {word} {condition}?"], rest


def _purpose(told: Told) -> tuple[list[str], str]:
    if not (found := _TO.fullmatch(told.text)):
        return _nothing()
    purpose, rest = _as_asked(found[1]), found[2]
    if rest.split(" ", 1)[0].lower() not in _DO and not rest.startswith(("you can ", "you must ", "you need to ")):
        return _nothing()
    answer = re.sub(r"^you (?:can|should|must|need to) ", "", rest)
    return [f"How do I {purpose}?", f"How can I {purpose}?", f"What must I do to {purpose}?"], answer


def _reason(told: Told) -> tuple[list[str], str]:
    found = _WHY.fullmatch(told.text)
    if not found or _VAGUE.match(found[1]):
        return _nothing()
    claim = _as_asked(found[1][:1].lower() + found[1][1:])
    return [f"Why is it that {claim}?", f"For what reason is it so that {claim}?"], f"because {found[2]}"


def _possibility(told: Told) -> tuple[list[str], str]:
    found = _LETS.fullmatch(told.text)
    if not found or _VAGUE.match(found[1]):
        return _nothing()
    subject = found[1][:1].lower() + found[1][1:]
    return [f"What can I do with {subject}?", f"What is {subject} good for?"], found[3]


def _definition(told: Told) -> tuple[list[str], str]:
    found = _IS.fullmatch(told.text)
    if not found or _VAGUE.match(found[1]) or _EMPTY_SUBJECT.search(found[1]) or len(found[1].split()) > 5:
        return _nothing()
    subject = found[1][:1].lower() + found[1][1:] if found[1].startswith(("The ", "A ", "An ")) else found[1]
    if found[3].startswith(("used ", "designed ", "intended ")):
        return [f"What {found[2]} {subject} for?", f"What is the purpose of {subject}?"], found[3]
    return [f"What {found[2]} {subject}?", f"How would you explain {subject}?"], found[3]


def _as_asked(text: str) -> str:
    for second, first in _PERSON:
        text = re.sub(rf"\b{second}\b", first, text)
    return text


def _in_other_words(question: str, draw: random.Random) -> str:
    for word, other in _WORDS:
        if draw.random() < 0.5:
            question = re.sub(rf"\b{word}\b", other, question)
    return question
