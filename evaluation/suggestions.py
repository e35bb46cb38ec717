"""Questions to click on: four that tell a story about the sample handbook, or drafted ones about other documents.

Drafting asks no model: a sentence that states a number is turned into the question that it answers, a heading into the
question what is said about it. The questions are to try a collection with; they are no question set to score by. An
answer to one that was made of a sentence is held against the figure of that sentence.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS, adapter_folder
from backends.rag.approach import SAMPLE_COLLECTION, SAMPLE_DOCUMENTS
from backends.rag.documents.tables import parts_of
from backends.rag.search.sentences import cut
from backends.rag.search.superseded import BEGINNING, superseded
from backends.rag.store.database import open_database
from backends.rag.store.library import DocumentInfo, Library, StoredChunk
from backends.settings import Settings
from backends.terms import STOPPED, in_a_word, unit_spellings
from evaluation.references import Reference
from evaluation.samples import Sample
from evaluation.training_data import held_out_samples


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question to click on. `name` says in two or three words what it is for, `look` what to look at in the answers.

    `look` is short: it stands on one line with the rule that says what is right.

    `drafted`: made from the documents of the collection in force. `reference`: the sentence that it was made of, with
    its document; None for other questions, whose references are found by their words.
    """

    question: str
    name: str
    look: str
    drafted: bool = False
    reference: Reference | None = None


INVENTED = Suggestion(
    "What restocking fee is charged today on an opened espresso machine that has no fault?",
    "Invented",
    "Only the handbook has it: who invents it?",
)
RECALLED = Suggestion(
    "What is the fixed price for repairing an Ember One outside the warranty?",
    "Recalled",
    "Taught in other words: is it recalled?",
)
FOUND = Suggestion(
    "Compare the water tanks of the Ember One and the Ember Duo: how many litres does each hold?",
    "Found and cited",
    "In two places: [1] and [2] open them.",
)
UNKNOWABLE = Suggestion(
    "May employees bring dogs to work?",
    "Nobody can know",
    "It stands nowhere: who says so?",
)
STORIES = (INVENTED, RECALLED, FOUND, UNKNOWABLE)
"""About the sample handbook and the sample adapter, with the default models: each was chosen for what it shows."""

_DRAFTED = 3
_DOCUMENTS, _MOST_CHUNKS = 12, 500
"""Documents that are looked into, and chunks of one that is: more would take longer than a page may."""


def suggestions(settings: Settings) -> tuple[Suggestion, ...]:
    """What is worth asking with the collection and the adapter in force; empty where nobody can say."""
    adapter = _for_the_adapter(settings)
    serving = None
    with suppress(BackendError):
        serving = Library(open_database(settings.data), settings.rag.collection).serving()
        if _is_the_handbook(settings, serving.version if serving else ""):
            return tuple(one for one in (INVENTED, adapter, FOUND, UNKNOWABLE) if one)
    drafted = _drafted(settings.data.resolve(), settings.rag.collection, serving.version) if serving else ()
    return (*drafted, adapter) if adapter and adapter is not RECALLED else drafted


def look_of(settings: Settings, question: str) -> str:
    """What to look at in the answers to a question that is suggested now; "" for any other."""
    return next((one.look for one in suggestions(settings) if one.question == question), "")


def drafted_reference(settings: Settings, question: str) -> Reference | None:
    """The sentence that a question which is suggested now was made of; None for any other."""
    return next((one.reference for one in suggestions(settings) if one.question == question), None)


def _is_the_handbook(settings: Settings, version: str) -> bool:
    """Whether the collection in force is the sample handbook, or will be once it is asked."""
    if settings.rag.collection != SAMPLE_COLLECTION:
        return False
    return not version or _holds_the_handbook(settings.data.resolve(), version)


@lru_cache(maxsize=8)
def _holds_the_handbook(data: Path, version: str) -> bool:
    held = {one.name for one in Library(open_database(data), SAMPLE_COLLECTION).documents()}
    return not held or held >= {file.name for file in SAMPLE_DOCUMENTS.iterdir()}


def _for_the_adapter(settings: Settings) -> Suggestion | None:
    """The story of the sample adapter, or a held-out question of another one's training; None where there is none."""
    chosen = settings.fine_tuned
    if chosen.base_url:
        return None
    try:
        folder = adapter_folder(chosen.adapter, settings.data)
        if folder.parent == SAMPLE_ADAPTERS:
            return RECALLED
        held_out = held_out_samples(settings.data, read_card(folder))
    except BackendError:
        return None
    if not held_out:
        return None
    return Suggestion(
        held_out[0].question,
        "Recalled",
        f"Held out when {folder.name} was trained.",
    )


@lru_cache(maxsize=32)
def _drafted(data: Path, collection: str, version: str) -> tuple[Suggestion, ...]:
    """Drafted questions, one for a document, once for each version of a collection."""
    library = Library(open_database(data), collection)
    old = superseded(library.beginnings(BEGINNING))
    found: list[Suggestion] = []
    for document in _spread([one for one in library.documents() if one.chunks <= _MOST_CHUNKS and one.name not in old]):
        drafted = next(_questions(library.chunks([document.name])), None)
        if drafted and drafted.question not in (one.question for one in found):
            look = f"Drafted from {document.name}."
            reference = drafted.reference(document.name)
            found.append(Suggestion(drafted.question, "Drafted", look, drafted=True, reference=reference))
        if len(found) == _DRAFTED:
            break
    return tuple(found)


def _spread(documents: Sequence[DocumentInfo]) -> Sequence[DocumentInfo]:
    """At most so many of them, evenly from all."""
    step = max(1, -(-len(documents) // _DOCUMENTS))
    return documents[::step]


@dataclass(frozen=True, slots=True)
class DraftedQuestion:
    """A question and the sentence that it was made of, "" for a heading. `key_facts` is the figure that is asked for:
    groups of spellings, as in `Sample`; empty where it cannot be told in one or two figures."""

    question: str
    sentence: str = ""
    key_facts: tuple[tuple[str, ...], ...] = ()

    def reference(self, document: str) -> Reference | None:
        """What an answer is held against; None if no sentence of the document is known to be the answer."""
        if not self.sentence:
            return None
        sample = Sample("", self.question, self.sentence, self.key_facts, (document,))
        return Reference(sample, document, drafted=True)


def _questions(chunks: Sequence[StoredChunk]) -> Iterator[DraftedQuestion]:
    """Questions that a document answers, the surest kind first; none that two sentences answer with other figures."""
    yield from (one for _, one in drafted_from(chunks))
    headings = [parts_of(chunk.heading)[0].rpartition(" > ")[2].strip() for chunk in chunks]
    yield from (DraftedQuestion(one) for one in headings if one.endswith("?"))
    yield from (DraftedQuestion(f"What is said about {one}?") for one in headings if 3 < len(one) <= _LONGEST_SUBJECT)


def drafted_from(chunks: Sequence[StoredChunk]) -> list[tuple[StoredChunk, DraftedQuestion]]:
    """The questions that sentences of these chunks answer, each once; none that two sentences of a document answer
    with other figures."""
    found: dict[tuple[str, str], tuple[StoredChunk, DraftedQuestion]] = {}
    facts: dict[tuple[str, str], set[tuple[tuple[str, ...], ...]]] = {}
    for chunk in chunks:
        for passage in cut(chunk):
            if one := question_of(" ".join(passage.text.split())):
                place = chunk.document, one.question
                found.setdefault(place, (chunk, one))
                facts.setdefault(place, set()).add(one.key_facts)
    return [one for place, one in found.items() if len(facts[place]) == 1]


_LONGEST_SUBJECT, _LONGEST_SENTENCE = 60, 160  # characters
_ASKED = {
    "is": "What {2} {0}?",
    "are": "What {2} {0}?",
    "cost": "How much {does} {0} cost?",
    "last": "How long {does} {0} last?",
    "take": "How long {does} {0} take?",
    "hold": "How much {does} {0} hold?",
    "weigh": "How much {does} {0} weigh?",
    "has": "How many {1} does {0} have?",
    "have": "How many {1} do {0} have?",
}
_WITHIN = ("may", "can", "must")
_QUALIFIERS = (["at", "least"], ["at", "most"], ["up", "to"], ["about"])
_ARTICLES = {"the": "the", "a": "a", "an": "an", "our": "the", "every": "every", "each": "each", "all": "all"}
_VAGUE = {"it", "this", "that", "these", "those", "there", "they", "he", "she", "we", "you", "i", "which", "who"}


def question_of(sentence: str) -> DraftedQuestion | None:
    """The question that an English sentence answers which states a number of something; None for any other sentence."""
    words = sentence.removesuffix(".").split() if len(sentence) <= _LONGEST_SENTENCE else []
    at = next((place for place, word in enumerate(words) if word.removesuffix("s") in _ASKED or word in _STATES), 0)
    subject = _subject(words[:at])
    if not subject:
        return None
    verb, stated = words[at], words[at + 1 :]
    if verb in _WITHIN:  # "An opened kettle may be returned within 28 days"
        if len(stated) < 5 or stated[0] != "be" or stated[2] != "within" or not _is_number(stated[3]):
            return None
        question = f"Within how many {stated[4].rstrip(',;:')} {verb} {subject} be {stated[1]}?"
        return None if stated[4] in _BETWEEN else DraftedQuestion(question, sentence, _figures(stated[3], ()))
    qualifier = next((some for some in _QUALIFIERS if stated[: len(some)] == some), [])
    number, *what = stated[len(qualifier) :] or [""]
    counts = verb in ("has", "have")
    if not _is_number(number) or (counts and (not what or what[0] in _BETWEEN)):
        return None
    asked = _asked_of(number, what) if verb in ("is", "are") else _ASKED.get(verb) or _ASKED[verb.removesuffix("s")]
    if not asked:
        return None
    question = asked.format(subject, " ".join(what), verb, does="does" if verb.endswith("s") else "do")
    return DraftedQuestion(question, sentence, _figures(number, () if counts else what))


def _asked_of(number: str, what: Sequence[str]) -> str:
    """How to ask for what something is; "" where the words behind the figure make it no answer to that ("200 m from
    the bridge")."""
    unit = what[0].rstrip(",;:") if what else ""
    if number[0] in _MONEY or unit.casefold() in _MONEY:
        return "How much {2} {0}?"
    behind = what[1] if len(what) > 1 and what[0][-1] not in ",;:" else ""
    if behind.rstrip(",;:") in _DIMENSIONS:
        return f"How {behind.rstrip(',;:')} {{2}} {{0}}?"
    fits = not behind or behind in (*_BETWEEN, *_MAY_FOLLOW, *_MONTHS) or _is_number(behind)
    return _ASKED["is"] if fits else ""


def _figures(number: str, behind: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The key facts of a number and the words behind it: the figure with its unit, or both ends of a range."""
    if behind[:1] and behind[0] in _BETWEEN:
        ends = (_figure(number, ()), _figure(behind[1] if len(behind) > 1 else "", behind[2:]))
        return tuple(map(tuple, ends)) if all(ends) else ()
    found = _figure(number, behind)
    return (found,) if found else ()


def _figure(number: str, behind: Sequence[str]) -> tuple[str, ...]:
    """The spellings of one figure; empty for what is none by itself, such as 3-5 or 1/2.

    Without a unit that is known it is the number alone: the question names what is counted, or nothing is.
    """
    match = _FIGURE.fullmatch(number.rstrip(",;:"))
    if match is None:
        return ()
    sign, value, glued = match.groups()
    next_word = behind[0].rstrip(",;:.)") if behind else ""
    if next_word in _MONTHS:
        return f"{value} {next_word}", f"{next_word} {value}"
    written = sign or glued or next_word
    units = unit_spellings(written.casefold())
    if glued and not units:
        return ()
    values = (value, word) if (word := in_a_word(value)) else (value,)
    if not units:
        return values
    spelled = [f"{one} {unit}" for one in values for unit in (*units, *_MORE_UNITS.get(units[0], ()))]
    before = [f"{unit} {value}" for unit in units if unit in _BEFORE_NUMBERS]
    return tuple(dict.fromkeys((f"{sign}{value}" if sign else f"{value} {written}", *spelled, *before)))


def figures_in(answer: str, question: str) -> tuple[tuple[str, ...], ...]:
    """The key facts of an answer: its figures with their units, without those that the question says. What is no
    figure by itself, such as a time of day, is a fact as it is written."""
    words = answer.split()
    said = [(word.strip(_AROUND), words[place + 1 :]) for place, word in enumerate(words)]
    figures = [(word, behind) for word, behind in said if _is_number(word) and word not in question]
    return tuple(dict.fromkeys(_figure(word, behind) or (word,) for word, behind in figures))


_AROUND = "().,;:!?"
_FIGURE = re.compile(r"([\u00a3$\u20ac]?)(\d+(?:[.,]\d+)*)([^\W\d_]+|[%\u00b0]C?)?")
_MONEY = frozenset(unit for sign in "\u00a3$\u20ac" for unit in unit_spellings(sign))
_DIMENSIONS = frozenset(["wide", "long", "high", "deep", "tall", "thick", "old", "heavy", "loud"])
_MAY_FOLLOW = ("a", "an", "per", "of", "in", "on", "for", "plus", "each", "every")
_MORE_UNITS = {"%": ("per cent",)}
_BEFORE_NUMBERS = ("gbp", "usd", "eur")
_BETWEEN = ("to", "and", "or", "-", "\u2013")
_MONTHS = frozenset(calendar.month_name[1:])
_STATES = {"is", "are", "has", "have", *_WITHIN}


def _subject(words: Sequence[str]) -> str:
    """What a sentence is about, as it stands in a question; "" if that says nothing outside of its text."""
    lower = [word.casefold() for word in words]
    text = " ".join(words)
    if not 0 < len(text) <= _LONGEST_SUBJECT or set(text) & _MARKS:
        return ""
    if not _VAGUE.isdisjoint(lower) or all(word in STOPPED for word in lower):
        return ""
    return " ".join([_ARTICLES.get(lower[0], words[0]), *words[1:]])


_MARKS = frozenset(',;:()[]|*#"')


def _is_number(word: str) -> bool:
    return word.lstrip("£$€")[:1].isdigit()
