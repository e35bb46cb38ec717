"""Which column of a file holds the question, which the answer, and what else is understood.

Names of columns that mean a question or an answer are those of data sets on the Hub and of the tools that people come
from (Alpaca, Dolly, TRL, Axolotl, LLaMA-Factory, RAGAS, MLflow, OpenAI Evals), and the words of some languages.
Capitals, spaces, hyphens and underscores in a name do not count.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Role = Literal[
    "question", "answer", "context", "id", "group", "generated", "source", "key_facts", "tags", "cluster", "critical"
]
"""What a column may be. `context` goes below the question: the input of an Alpaca instruction."""

_ENGLISH: dict[Role, tuple[str, ...]] = {
    "question": (
        *("question", "prompt", "instruction", "input", "query", "user", "user_input", "human", "inputs", "problem"),
        *("questions", "user_message", "user_prompt", "user_query", "question_text"),
    ),
    "answer": (
        *("answer", "reference_answer", "completion", "output", "response", "reference", "expected", "ideal"),
        *("expected_answer", "expected_output", "expected_response", "ground_truth", "target", "assistant", "reply"),
        *("answers", "outputs", "ideal_answer", "correct_answer", "best_answer", "gold_answer", "gold", "solution"),
        *("ground_truth_answer", "reference_output", "reference_response", "answer_text", "gpt"),
    ),
}
_FOREIGN: dict[Role, tuple[str, ...]] = {
    "question": (
        *("Frage", "Fragen", "pregunta", "pergunta", "domanda", "vraag", "fråga", "pytanie", "otázka", "soru"),
        *("вопрос", "питання", "问题", "問題", "質問", "질문", "السؤال", "שאלה"),
    ),
    "answer": (
        *("Antwort", "Antworten", "respuesta", "resposta", "risposta", "réponse", "antwoord", "svar", "odpowiedź"),
        *("odpověď", "cevap", "ответ", "відповідь", "答案", "回答", "回答文", "답변", "الجواب", "תשובה"),
    ),
}
_OTHERS: dict[Role, tuple[str, ...]] = {
    "id": ("id", "question_id", "qid"),
    "group": ("group",),
    "generated": ("generated",),
    "source": (
        *("source", "sources", "document", "documents", "file", "file_name", "source_document", "expected_source"),
        *("expected_sources", "expected_document", "Quelle", "Quellen"),
    ),
    "key_facts": (
        *("key_facts", "key_fact", "keywords", "must_contain", "must_include", "must_have", "facts", "contains"),
        *("expected_keywords", "expected_facts", "required_facts", "key_points"),
    ),
    "tags": ("tags", "tag"),
    "cluster": ("cluster",),
    "critical": ("critical",),
}
_WRITTEN = ("answer", "answers", "completion", "output", "outputs", "response", "assistant", "reply", "gpt")
"""What a model wrote, in a file that has another column for what is right (RAGAS: `response` beside `reference`)."""
_LAST = ("chosen", "accepted")
"""The better of two answers, in files for preference training: the answer where there is no other."""


_LONGEST = 200
"""Characters of a column's name that count."""
_MOST = 1_000
"""Columns, from the first, that are looked at."""


@dataclass(frozen=True, eq=False)
class Kind:
    """What is wanted of a file. A `couple` names question and answer where more than one column would fit."""

    name: str
    wanted: tuple[Role, ...]
    others: tuple[Role, ...]
    couples: tuple[tuple[str, str], ...]
    canonical: Mapping[Role, str]


PAIRS = Kind(
    "pairs",
    ("question", "answer"),
    ("group", "generated", "source"),
    (("question", "answer"), ("prompt", "completion"), ("instruction", "output"), ("input", "output"), ("q", "a")),
    {"question": "question", "answer": "answer", "source": "source"},
)
QUESTIONS = Kind(
    "questions",
    ("question",),
    ("answer", "id", "source", "key_facts", "tags", "cluster", "critical"),
    (("question", "reference_answer"), ("q", "a")),
    {"question": "question", "answer": "reference_answer", "source": "source", "key_facts": "key_facts"},
)


@dataclass(frozen=True)
class Columns:
    """`taken`: role to place of its column. `rivals`: columns of which each fits a role, so that none is taken.

    Then the places of cells with a chat, with a system message, with whether an answer is wanted, and of all others.
    `plain`: there are only a question and an answer, once each, and columns that are not read.
    """

    taken: Mapping[Role, int]
    rivals: Mapping[Role, tuple[str, ...]]
    chats: tuple[int, ...]
    systems: tuple[int, ...]
    labels: tuple[int, ...]
    unread: tuple[int, ...]
    plain: bool

    def has(self, kind: Kind) -> bool:
        """Whether everything that is wanted was found."""
        return all(role in self.taken for role in kind.wanted)

    def nearly(self, kind: Kind) -> bool:
        """Whether everything that is wanted is there, though perhaps more than once."""
        return all(role in self.taken or role in self.rivals for role in kind.wanted)


def plain(name: str) -> str:
    """A column's name as it is compared: `Reference Answer` and `reference_answer` are the same.

    Names that begin with two underscores keep them: promptfoo's `__expected` holds an assertion, not an answer.
    """
    return _plain(name[:_LONGEST])


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).strip().casefold()
    return name if name.startswith("__") else "".join(letter for letter in name if letter.isalnum())


def _plain_names(*names: Iterable[str]) -> frozenset[str]:
    return frozenset(plain(one) for some in names for one in some)


_KNOWN: dict[Role, frozenset[str]] = {
    **{role: _plain_names(_ENGLISH[role], _FOREIGN[role]) for role in ("question", "answer")},
    **{role: _plain_names(names) for role, names in _OTHERS.items()},
}
_CONTEXTS = ("input", "context")
_SYSTEMS = frozenset({"system", "systemprompt", "systeminstruction", "systemmessage"})
_LABELS = frozenset({"label", "ktotag"})
_CHATS = frozenset({"messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "contents"})


@lru_cache(maxsize=32)
def assign(names: tuple[str, ...], kind: Kind) -> Columns:
    """Which column has which role."""
    found = [plain(name) for name in names[:_MOST]]
    taken: dict[Role, int] = {}
    rivals: dict[Role, tuple[str, ...]] = {}
    for couple in kind.couples:
        if all(found.count(plain(one)) == 1 for one in couple):
            taken |= {"question": found.index(plain(couple[0])), "answer": found.index(plain(couple[1]))}
            break
    for role in (*kind.wanted, *kind.others):
        if role not in taken:
            fits = _fitting(found, role, kind)
            if len(fits) == 1:
                taken[role] = fits[0]
            elif fits:
                rivals[role] = tuple(names[place] for place in fits)
    if "question" in taken and found[taken["question"]] == "instruction":
        context = next((found.index(one) for one in _CONTEXTS if found.count(one) == 1), None)
        taken |= {} if context is None else {"context": context}
    held, lost = set(taken.values()), {name for some in rivals.values() for name in some}
    free = [place for place in range(len(names)) if place not in held and names[place] not in lost]
    chats, systems, labels = (
        tuple(place for place in free if place < _MOST and found[place] in some) for some in (_CHATS, _SYSTEMS, _LABELS)
    )
    only = set(taken) == {"question", "answer"} and not (rivals or systems or labels)
    return Columns(taken, rivals, chats, systems, labels, tuple(free), only)


def has_chat(record: Mapping[str, object]) -> bool:
    """Whether a record has a cell that is called as chats are, and is a list."""
    return any(isinstance(cell, list) and plain(name) in _CHATS for name, cell in record.items())


def inner_name(cell: Mapping[str, object], role: Role) -> str | None:
    """The field of an object in a cell that its name gives a role, as `inputs` and `outputs` of LangSmith hold it."""
    fits = [name for name in list(cell)[:_MOST] if plain(name) in _KNOWN[role] and isinstance(cell[name], str)]
    return fits[0] if len(fits) == 1 else None


def _fitting(found: Sequence[str], role: Role, kind: Kind) -> list[int]:
    """The places of the columns that may have a role: those of its own name, or else of a name that means it."""
    own = plain(kind.canonical.get(role, ""))
    exact = [place for place, name in enumerate(found) if name == own and own]
    if exact:
        return exact
    fits = [place for place, name in enumerate(found) if name in _KNOWN[role]]
    if role == "question" and "instruction" in found:
        fits = [place for place in fits if found[place] != "input"]
    if role == "answer" and kind is QUESTIONS:
        fits = [place for place in fits if found[place] not in _WRITTEN] or fits
    return fits or [place for place, name in enumerate(found) if role == "answer" and name in _LAST]


def known_words(kind: Kind, chats: bool) -> str:
    """What is understood, in sentences that name it. `chats`: whether the file may hold chats, as JSON does."""
    question, answer = (", ".join(_ENGLISH[role]) for role in ("question", "answer"))
    asked = f"Known names of a question's column are {question}"
    if kind is PAIRS:
        words = f"{asked}; of an answer's: {answer}"
    else:
        words = f"{asked}. Optional are an answer, {', '.join(kind.others[1:])}"
    words += "; and the same words in some other languages." if kind is PAIRS else "."
    if chats:
        words += (
            " Chats are known as messages with role and content (OpenAI), conversations with from and value (ShareGPT),"
            " and prompt with completion or chosen as lists of messages."
        )
    return words


def listed(names: Iterable[str], most: int = 12) -> str:
    """`a, b and c`, each cut to 40 characters; of more than `most`, how many there are."""
    shown = [" ".join(name.split())[:40] for name in names if name.strip()]
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most:,} more"
    *first, last = shown or [""]
    return f"{', '.join(first)} and {last}" if first else last


def rival_words(columns: Columns, kind: Kind) -> Iterator[str]:
    """A sentence for each role that more than one column fits."""
    for role, names in columns.rivals.items():
        what = {"answer": "reference answer", "key_facts": "key facts"} if kind is QUESTIONS else {}
        name = kind.canonical.get(role, role)
        which = (
            f"both fit as the {what.get(role, role)}" if len(names) == 2 else f"all fit as the {what.get(role, role)}"
        )
        yield f"The columns {listed(names)} {which}. Keep one of them or call the right one {name}."
