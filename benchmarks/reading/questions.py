"""How a question is put: plainly, with a condition, in key words, or inside of a story."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.reading.catalogue import Attribute

_CONDITIONS = (
    (("for members", "for a member"), ("for guests", "for a guest"), ("for pupils", "for a pupil")),
    (("in winter", "during the winter"), ("in summer", "during the summer"), ("in spring", "in spring time")),
    (
        ("on weekdays", "from Monday to Friday"),
        ("at weekends", "on a Saturday"),
        ("on public holidays", "on a holiday"),
    ),
    (
        ("for adults", "for a grown-up"),
        ("for children under 12", "for my ten-year-old"),
        ("for students", "for a student"),
    ),
    (
        ("in the northern district", "up in the north"),
        ("in the southern district", "down in the south"),
        ("in the harbour district", "near the harbour"),
    ),
    (
        ("with a permit", "if one has a permit"),
        ("without a permit", "if one has no permit"),
        ("with a day pass", "with a pass for the day"),
    ),
    (
        ("during the first year", "in year one"),
        ("after the first year", "from the second year on"),
        ("after five years", "once five years are over"),
    ),
    (
        ("in the morning", "before noon"),
        ("in the evening", "late in the day"),
        ("at night", "in the middle of the night"),
    ),
    (
        ("for groups of ten or more", "for a group of fifteen"),
        ("for single visitors", "for somebody alone"),
        ("for families", "for a family"),
    ),
    (("in dry weather", "when it is dry"), ("in rain", "when it rains"), ("in frost", "when it freezes")),
)
_RANGES = (
    ("years", 3, 70, "for people of {} years", "for somebody of {} years"),
    ("people", 2, 60, "for parties of {} people", "for {} of us"),
    ("metres", 2, 40, "at a length of {} metres", "if it is {} metres long"),
    ("hours", 2, 48, "for stays of {} hours", "if I stay {} hours"),
    ("kilograms", 2, 90, "at a weight of {} kilograms", "with {} kilograms"),
    ("pages", 5, 400, "for {} pages", "if I have {} pages"),
)
_OLD = (
    "Before the change: {q}", "According to the old edition, {q}", "What did the former version say: {q}",
    "In the superseded version, {q}", "I only want to know what was the rule in the past. {Q}",
    "{Q} I mean in the edition that no longer counts.",
)  # fmt: skip
_BEFORE = (
    "Hello, {q}", "Quick question: {q}", "I am new here. {Q}", "My neighbour was not sure, so I ask you: {q}",
    "We are planning for next month. {Q}", "Sorry to bother you. {Q}", "Somebody asked me this today: {q}",
    "I looked everywhere and could not find it. {Q}", "For my notes: {q}", "Before I ring anybody: {q}",
    "My sister and I have been arguing about this for an hour. {Q}", "Please tell me: {q}",
    "I have 20 minutes before the meeting with {n} people starts. {Q}",
    "Last year I was told something else on the telephone, so I want to be sure this time. {Q}",
    "It is my first time and I do not want to do anything wrong. {Q}", "One more thing, {q}",
)  # fmt: skip
_AFTER = ("{Q} Thanks!", "{Q} I could not find it.", "{Q} A colleague wants to know.", "{Q} Please be brief.")
_KEEP = ("I ", "I'", "Mr", "Ms", "Dr")


@dataclass(frozen=True, slots=True)
class Condition:
    """Under which a value holds: as a document puts it (""; none), as a question does, and as a column is called."""

    told: str = ""
    asked: str = ""
    column: str = ""


def conditions(draw: random.Random) -> list[Condition]:
    """Three conditions of one kind, one of which excludes the other: of a catalogue, or ranges of a number."""
    if draw.random() < 0.6:
        return [Condition(told, asked, _column(told)) for told, asked in draw.choice(_CONDITIONS)]
    unit, low, high, told, asked = draw.choice(_RANGES)
    first, second = sorted(draw.sample(range(low + 1, high), 2))
    ranges = (
        (f"up to {first}", draw.randint(1, first)),
        (f"{first + 1} to {second}", draw.randint(first + 1, second)),
        (f"over {second}", draw.randint(second + 1, second + high)),
    )
    return [Condition(told.format(one), asked.format(number), f"{one} {unit}") for one, number in ranges]


def _column(told: str) -> str:
    return told.removeprefix("for ").removeprefix("in ").capitalize()


def told_about(form: str, text: str) -> str:
    """A sentence behind a condition: it goes on in lower case unless a name stands first."""
    return text if form.startswith("{x}") or form.startswith("{v}") else text[:1].lower() + text[1:]


def asked(thing: str, attribute: Attribute, condition: Condition, draw: random.Random, plain: bool = False) -> str:
    """A question for an attribute of a thing; `plain` without a story around it."""
    text = draw.choice(attribute.questions).replace("{x}", thing)
    text = text[:1].upper() + text[1:]
    if condition.told:
        wanted = condition.asked if draw.random() < 0.75 else condition.told
        text = f"{text.rstrip('?')} {wanted}?"
    if plain:
        return text
    pick = draw.random()
    if pick < 0.05 and not condition.told and not attribute.is_yes_or_no:
        return f"{thing.removeprefix('the ')} {attribute.name.lower()}"
    if pick < 0.2:
        return _around(text, draw.choice(_BEFORE), draw)
    return _around(text, draw.choice(_AFTER), draw) if pick < 0.25 else text


def asked_of_the_old(thing: str, attribute: Attribute, draw: random.Random) -> str:
    """A question for the value that a superseded document has."""
    return _around(asked(thing, attribute, Condition(), draw, plain=True), draw.choice(_OLD), draw)


def _around(text: str, form: str, draw: random.Random) -> str:
    lower = text if text.startswith(_KEEP) else text[:1].lower() + text[1:]
    return form.replace("{n}", str(draw.randrange(2, 60))).replace("{Q}", text).replace("{q}", lower)
