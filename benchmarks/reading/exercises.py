"""Exercises: some sentences about a few things, and questions that these answer, or nearly answer.

Things and attributes form a grid. Some of its cells are told in the evidence; a question about another cell has the
same words as a question about one of these, so that it can be told from its answer alone that it is missing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.reading.catalogue import Attribute, Domain
from benchmarks.reading.names import Names
from benchmarks.reading.prompt import Evidence, cited_answer
from benchmarks.reading.questions import Condition, asked, asked_of_the_old, conditions, told_about
from benchmarks.reading.values import drawn

MOST_SENTENCES = 6


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question about evidence.

    `parts`: what is found, each with the number of its sentence, and `facts` its key facts; none if the answer is the
    refusal. `kind` is a tag.
    """

    question: str
    parts: tuple[tuple[str, int], ...]
    facts: tuple[tuple[str, ...], ...]
    kind: str

    def answer(self, cite_first: bool = False) -> str:
        """The short answer with its citations, or the refusal."""
        return cited_answer(self.parts, cite_first)


@dataclass(frozen=True, slots=True)
class Group:
    """Exercises about the same evidence."""

    evidence: tuple[Evidence, ...]
    exercises: tuple[Exercise, ...]
    domain: str


@dataclass(eq=False, slots=True)
class Cell:
    """A fact: the value that a thing has for an attribute, perhaps under a condition."""

    thing: str
    attribute: Attribute
    value: str
    condition: Condition = field(default_factory=Condition)
    old: bool = False
    number: int = 0
    """The number of the sentence that tells it, 0 if none does."""
    answer: str = ""
    """The value as it is answered, where that is more than the sentence has, such as a unit from the column's name."""


@dataclass(eq=False, slots=True)
class Line:
    """A sentence in the making and the cells that it tells."""

    evidence: Evidence
    cells: list[Cell] = field(default_factory=list)


def draw_group(domains: Sequence[Domain], draw: random.Random, questions: int = 6, unnamed: float = 0.0) -> Group:
    """Evidence from one domain, foreign sentences among it, and so many questions about it.

    `unnamed`: the share of documents that are about one thing and do not name it in every sentence, as most are; some
    have wide tables then.
    """
    domain = draw.choice(domains)
    sheet = _Sheet(domain, draw, bool(unnamed) and draw.random() < unnamed, bool(unnamed) and draw.random() < 0.4)
    lines = sheet.lines()
    while draw.random() < 0.3 and len(lines) < MOST_SENTENCES:
        lines += _Sheet(draw.choice(domains), draw).lines()[:1]
    draw.shuffle(lines)
    lines = lines[:MOST_SENTENCES]
    for number, line in enumerate(lines, start=1):
        for cell in line.cells:
            cell.number = number
    told = [cell for line in lines for cell in line.cells]
    made = _Questions(sheet, told, draw)
    exercises = tuple(filter(None, (made.one() for _ in range(questions))))
    if sheet.unnamed:
        lines = [
            replace(line, evidence=replace(line.evidence, text=sheet.without_thing(line.evidence.text, 0.6)))
            for line in lines
        ]
        exercises = tuple(replace(one, question=sheet.without_thing(one.question, 0.4)) for one in exercises)
    return Group(tuple(line.evidence for line in lines), exercises, domain.title)


class _Sheet:
    """What a document says of a few things of a domain."""

    def __init__(self, domain: Domain, draw: random.Random, unnamed: bool = False, wide: bool = False) -> None:
        self.domain, self.draw, self.names, self.unnamed, self.wide = domain, draw, Names(draw), unnamed, wide
        self.things = [f"the {domain.noun}"] if unnamed else self._things(draw.choice((1, 2, 2, 3, 3)) + 1)
        count = draw.choice((5, 6, 7, 8)) if wide else draw.choice((3, 4, 5, 6) if unnamed else (2, 3, 3, 4, 5))
        self.attributes = draw.sample(domain.attributes, min(len(domain.attributes) - wide, count))
        self.document = self._document()
        if unnamed and draw.random() < 0.7:
            self.document = f"{self._things(1)[0].removeprefix('the ')} {self.document}"
        self.conditions = conditions(draw) if draw.random() < 0.35 else []
        self._used: dict[str, set[str]] = {}

    def without_thing(self, text: str, share: float) -> str:
        """A text about the one thing without its name, where it can be left out; else perhaps with another word."""
        draw, thing = self.draw, re.escape(self.things[0])
        if draw.random() < share:
            text = re.sub(rf" (?:from|of|in|at|for|to|with|on|by|near|into) {thing}(?=[ ,.;:?!]|$)", "", text)
            text = re.sub(rf"^{thing} (?=[a-z])", "It ", text, flags=re.IGNORECASE)
        other = draw.choice(("the", "the", "your", "this", "our")) + " " + self.domain.noun
        return re.sub(rf"\b{thing}\b", other, text)

    def _things(self, count: int) -> list[str]:
        pattern = self.draw.choice(self.domain.patterns)
        shared = {slot: self.names.filled("{" + slot.lower() + "}") for slot in ("MAKE", "PLACE", "SURNAME", "NATURE")}
        for slot, word in shared.items():
            pattern = pattern.replace("{" + slot + "}", word)
        found: list[str] = []
        for _ in range(20):
            thing = self.names.filled(pattern)
            thing = thing if thing.startswith("the ") else thing[:1].upper() + thing[1:]
            if thing not in found:
                found.append(thing)
            if len(found) == count:
                break
        return found

    def _document(self) -> str:
        title = self.draw.choice(self.domain.documents)
        if self.draw.random() < 0.3:
            title += f" {self.draw.randrange(2015, 2036)}"
        if self.draw.random() < 0.5:
            ending = self.draw.choice((".pdf", ".md", ".docx", ".txt", ".html", ".xlsx", ".csv"))
            title = title.lower().replace(" ", self.draw.choice("-_")).replace("'", "") + ending
        return title

    def value(self, attribute: Attribute) -> str:
        """A value that no other cell of the attribute has, unless it is yes or no."""
        used = self._used.setdefault(attribute.name, set())
        value = drawn(attribute.spec, self.names)
        for _ in range(20):
            if value not in used or attribute.is_yes_or_no:
                break
            value = drawn(attribute.spec, self.names)
        used.add(value)
        return value

    def lines(self) -> list[Line]:
        """One to six sentences or rows."""
        draw = self.draw
        wanted = draw.choice((1, 2, 3, 4, 4, 5, 5, 6, 6))
        grid = [(thing, one) for thing in self.things[: max(1, len(self.things) - 1)] for one in self.attributes]
        draw.shuffle(grid)
        lines: list[Line] = []
        if self.wide or draw.random() < 0.35:
            lines = self._rows()
            grid = [] if draw.random() < 0.5 else [cell for cell in grid if cell[1].name not in self._used]
        while grid and len(lines) < wanted:
            thing, attribute = grid.pop()
            partner = next((cell for cell in grid if cell[0] == thing), None)
            if partner and draw.random() < 0.1:
                grid.remove(partner)
                lines.append(self._both(thing, attribute, partner[1]))
            else:
                lines += self._told(thing, attribute)
        return lines

    def _both(self, thing: str, one: Attribute, other: Attribute) -> Line:
        """Two facts of a thing in one sentence, or in two that stand together."""
        cells = [Cell(thing, attribute, self.value(attribute)) for attribute in (one, other)]
        first, second = self._statement(cells[0]), self._statement(cells[1])
        joint = self.draw.choice((". ", "; ", ", and "))
        if joint != ". ":
            first = first.rstrip(".")
            second = second if second.startswith(thing) else second[:1].lower() + second[1:]
        else:
            first = first.rstrip(".")
        return Line(Evidence(self.document, self._heading(cells[0]), first + joint + second), cells)

    def _rows(self) -> list[Line]:
        draw, columns = self.draw, self.attributes if self.wide else self.attributes[:4]
        by_condition = [one for one in columns if one.varies] if self.conditions else []
        head = draw.choice((self.domain.noun.capitalize(), "Name", "Which", self.domain.title))
        units = {one.name: draw.random() < 0.3 for one in columns}
        heading = draw.choice((self.domain.plural.capitalize(), "Overview", "Table 1", self.domain.title, ""))
        lines = []
        for thing in self.things[: draw.choice((1, 2, 3))]:
            parts = [f"{head}: {thing.removeprefix('the ')}"]
            if by_condition:
                attribute, heading = by_condition[0], by_condition[0].name
                cells = [Cell(thing, attribute, self.value(attribute), one) for one in self.conditions]
                parts += [f"{cell.condition.column}: {cell.value}" for cell in cells]
            else:
                cells = [Cell(thing, one, self.value(one)) for one in columns]
                parts += [self._column(cell, units[cell.attribute.name]) for cell in cells]
            if draw.random() < 0.15:
                parts = [parts[0], *draw.sample(parts[1:], len(parts) - 1)]
            lines.append(Line(Evidence(self.document, heading, "; ".join(parts)), cells))
        return lines

    def _column(self, cell: Cell, unit_in_head: bool) -> str:
        """`Column: value`, where the unit may stand in the name of the column."""
        name, value = cell.attribute.name, cell.value
        number, _, unit = value.partition(" ")
        if cell.attribute.spec.startswith("n ") and unit and unit_in_head and number[0].isdigit():
            cell.answer = value
            return f"{name} ({unit}): {number}"
        if cell.attribute.is_yes_or_no:
            value = self.draw.choice((value, value.capitalize()))
        return f"{name}: {value}"

    def _told(self, thing: str, attribute: Attribute) -> list[Line]:
        """The sentence, or the two or three, that tell a cell: with conditions, an older version, or both in one."""
        draw, cell = self.draw, Cell(thing, attribute, self.value(attribute))
        if self.conditions and attribute.varies and draw.random() < 0.7:
            return self._conditional(cell)
        lines = [self._line(cell)]
        if draw.random() < 0.12 and not attribute.is_yes_or_no:
            old = Cell(thing, attribute, self.value(attribute), old=True)
            lines.append(self._line(old))
        return lines

    def _conditional(self, cell: Cell) -> list[Line]:
        draw, conditions = self.draw, self.draw.sample(self.conditions, 2)
        cells = [Cell(cell.thing, cell.attribute, self.value(cell.attribute), one) for one in conditions]
        if draw.random() < 0.4:
            text = f"{self._statement(cells[0]).rstrip('.')}; {cells[1].condition.told}, it is {cells[1].value}."
            return [Line(Evidence(self.document, self._heading(cell), text), cells)]
        if draw.random() < 0.3:
            text = f"{self._statement(cell).rstrip('.')}, except {cells[0].condition.told}: {cells[0].value}."
            return [Line(Evidence(self.document, self._heading(cell), text), [cell, cells[0]])]
        return [Line(Evidence(self.document, self._heading(one), self._statement(one)), [one]) for one in cells]

    def _line(self, cell: Cell) -> Line:
        draw = self.draw
        form = draw.random()
        thing = cell.thing
        title = thing.removeprefix("the ")
        if form < 0.2:
            noun = draw.choice((f"this {self.domain.noun}", f"the {self.domain.noun}", f"this {self.domain.noun}"))
            text, heading = self._statement(cell, noun), title[:1].upper() + title[1:]
        elif form < 0.3 and not cell.attribute.is_yes_or_no:
            heading, text = title[:1].upper() + title[1:], f"{cell.attribute.name}: {cell.value}"
        elif form < 0.36 and not cell.attribute.is_yes_or_no:
            heading, text = f"{title} > {cell.attribute.name}", f"{cell.value[:1].upper()}{cell.value[1:]}."
            cell.answer = cell.value if cell.value[:1].isupper() else f"{cell.value[:1].upper()}{cell.value[1:]}"
        else:
            heading, text = self._heading(cell), self._statement(cell)
        if draw.random() < 0.15:
            text += " " + draw.choice(_TAILS)
        document = self.document if not cell.old else f"{self.document.rsplit('.', 1)[0]} (old edition)"
        return Line(Evidence(document, heading, text, cell.old), [cell])

    def _heading(self, cell: Cell) -> str:
        draw, domain = self.draw, self.domain
        return draw.choice(
            (
                "",
                domain.title,
                domain.plural.capitalize(),
                "General",
                cell.attribute.name,
                "Notes",
                "2.3 Details",
                "Rules",
            )
        )

    def _statement(self, cell: Cell, thing: str = "") -> str:
        attribute = cell.attribute
        form = self.draw.choice(attribute.denials if cell.value == "no" and attribute.denials else attribute.statements)
        text = form.replace("{x}", thing or cell.thing).replace("{v}", cell.value)
        if condition := cell.condition.told:
            return f"{condition[:1].upper()}{condition[1:]}, {told_about(form, text)}"
        return text[:1].upper() + text[1:]


_TAILS = (
    "This was decided by the board.",
    "See the plan on the wall.",
    "Exceptions are made in writing only.",
    "It is checked every spring.",
    "Most people know this already.",
    "This has not changed for years.",
    "Ask at the desk if in doubt.",
    "A sign says so at the entrance.",
)


class _Questions:
    """Questions about a sheet of which some cells were told."""

    def __init__(self, sheet: _Sheet, told: Sequence[Cell], draw: random.Random) -> None:
        self.sheet, self.told, self.draw = sheet, told, draw
        self._asked: set[str] = set()
        own = set(sheet.things)
        self.own = [cell for cell in told if cell.thing in own]
        self.old = [cell for cell in self.own if cell.old]
        self.current = [cell for cell in self.own if not cell.old]
        self.known = {(cell.thing, cell.attribute.name) for cell in self.own}

    def one(self) -> Exercise | None:
        """An exercise that was not made before; None where no other one was found."""
        for _ in range(8):
            pick = self.draw.random()
            if self.old and pick > 0.85:
                pick = 2.0
            made = (
                self._of_the_old()
                if pick > 1
                else self._missing()
                if pick < 0.36
                else self._two()
                if pick < 0.47
                else self._single()
            )
            if made and made.question not in self._asked:
                self._asked.add(made.question)
                return made
        return None

    def _single(self) -> Exercise | None:
        if not self.current:
            return self._missing()
        cell = self.draw.choice(self.current)
        if cell.attribute.reverse and not cell.condition.told and self.draw.random() < 0.25:
            question = self.draw.choice(cell.attribute.reverse).replace("{v}", cell.value)
            thing = cell.thing.removeprefix("the ")
            return Exercise(question, ((thing, cell.number),), ((thing,),), "reverse")
        question = asked(cell.thing, cell.attribute, cell.condition, self.draw)
        tag = "condition" if cell.condition.told else "yes_no" if cell.attribute.is_yes_or_no else "single"
        return Exercise(question, ((_answered(cell), cell.number),), (_facts(cell),), tag)

    def _of_the_old(self) -> Exercise:
        cell = self.draw.choice(self.old)
        question = asked_of_the_old(cell.thing, cell.attribute, self.draw)
        return Exercise(question, ((_answered(cell), cell.number),), (_facts(cell),), "old")

    def _missing(self) -> Exercise | None:
        draw, sheet = self.draw, self.sheet
        others = [one for one in sheet.domain.attributes if one not in sheet.attributes]
        pick = draw.random()
        attribute = draw.choice(others) if others and pick < 0.3 else draw.choice(sheet.attributes)
        told = sorted({cell.thing for cell in self.own})
        thing = draw.choice(told if told and draw.random() < 0.7 else sheet.things)
        if attribute.reverse and draw.random() < 0.2:
            question = draw.choice(attribute.reverse).replace("{v}", sheet.value(attribute))
            return Exercise(question, (), (), "missing")
        if (thing, attribute.name) in self.known:
            return None
        return Exercise(asked(thing, attribute, Condition(), draw), (), (), "missing")

    def _two(self) -> Exercise | None:
        plain = [cell for cell in self.current if not cell.condition.told and not cell.attribute.is_yes_or_no]
        if len(plain) < 2:
            return None
        one, other = self.draw.sample(plain, 2)
        if one.thing == other.thing:
            first = asked(one.thing, one.attribute, Condition(), self.draw, plain=True)
            second = asked(other.thing, other.attribute, Condition(), self.draw, plain=True)
            question = f"{first[:-1]}, and {second[:1].lower()}{second[1:]}"
        else:
            other_cells = [cell for cell in plain if cell.attribute is one.attribute and cell.thing != one.thing]
            if not other_cells:
                return None
            other = self.draw.choice(other_cells)
            question = asked(f"{one.thing} and {other.thing}", one.attribute, Condition(), self.draw, plain=True)
        parts = ((_answered(one), one.number), (_answered(other), other.number))
        return Exercise(question, parts, (_facts(one), _facts(other)), "two")


def _answered(cell: Cell) -> str:
    if cell.attribute.is_yes_or_no:
        return cell.value.capitalize()
    return cell.answer or cell.value


def _facts(cell: Cell) -> tuple[str, ...]:
    return (_answered(cell),)
