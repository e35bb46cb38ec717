"""The kinds of facts that exercises are made of, read from the text files in `kinds/`.

    = Public libraries | branch, branches | {place} branch; the {nature} Library
    docs: Lending rules; Reader's guide
    @ Loan period | n 5 60 days
    Items from {x} may be kept for {v}.
    ? How long can I keep what I borrowed from {x}?

`=` begins a domain: its title, the noun of its things in singular and plural, and patterns of their names (a slot in
capitals is the same for all things of one document). `@` begins an attribute: the name of its column and the kind of
its value (`values`). Then statements, and questions behind `?`. A fact that is so or not so has the kind `yes`, and
its statements begin with `+` or `-`. A question behind `!` gives the value and asks for the thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KINDS = Path(__file__).parent / "kinds"


@dataclass(slots=True)
class Attribute:
    """What can be said and asked of a thing. `{x}` stands for the thing and `{v}` for the value."""

    name: str
    spec: str
    statements: list[str] = field(default_factory=list)
    denials: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    reverse: list[str] = field(default_factory=list)

    @property
    def is_yes_or_no(self) -> bool:
        """Whether its value is yes or no: `statements` affirm it then and `denials` deny it."""
        return self.spec == "yes"

    @property
    def varies(self) -> bool:
        """Whether the value may be another one under some condition, as a fee may and a founder may not."""
        return self.spec.split()[0].rstrip(":") in ("n", "money", "time", "dur", "pct", "day")


@dataclass(slots=True)
class Domain:
    """A subject with its documents, things and attributes."""

    title: str
    noun: str
    plural: str
    patterns: list[str]
    documents: list[str] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)


def read_domains(files: list[Path]) -> list[Domain]:
    """The domains of catalogue files. Raises `ValueError` naming the line that is none."""
    domains: list[Domain] = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                _take(line.strip(), domains)
            except (IndexError, ValueError) as error:
                raise ValueError(f"{file.name}, line {number}: {line!r} is no part of a catalogue.") from error
    return domains


def _take(line: str, domains: list[Domain]) -> None:
    if not line or line.startswith("#"):
        return
    mark, rest = line[0], line[1:].strip()
    if mark == "=":
        title, nouns, patterns = (part.strip() for part in rest.split("|"))
        noun, plural = (part.strip() for part in nouns.split(","))
        domains.append(Domain(title, noun, plural, [one.strip() for one in patterns.split(";")]))
    elif line.startswith("docs:"):
        domains[-1].documents = [one.strip() for one in line[5:].split(";")]
    elif mark == "@":
        name, spec = (part.strip() for part in rest.split("|"))
        domains[-1].attributes.append(Attribute(name, spec))
    else:
        attribute = domains[-1].attributes[-1]
        if mark == "?":
            attribute.questions.append(rest)
        elif mark == "!":
            attribute.reverse.append(rest)
        elif mark == "-":
            attribute.denials.append(rest)
        else:
            attribute.statements.append(rest if mark == "+" else line)


def training_domains() -> list[Domain]:
    """The domains that a reader is trained on."""
    return read_domains(sorted(KINDS.glob("*.txt")))


def held_out_domains() -> list[Domain]:
    """Domains that no reader is trained on: what is measured on them was not seen, neither thing nor attribute."""
    return read_domains(sorted((KINDS / "held_out").glob("*.txt")))
