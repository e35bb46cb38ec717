"""Every approach: what it is, how it is made, and what the rest of the program needs to know of it.

To add one, write a backend with a `SPEC` in a file of its own and name it in `_BUILT_IN`, or let an installed package
name it in the entry point group `crossroads.approaches`. `docs/extending.md` has the whole example.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from backends.errors import BackendError
from backends.text import visible

if TYPE_CHECKING:
    from pydantic import BaseModel

    from backends.base import Backend
    from backends.settings import Settings

GROUP = "crossroads.approaches"
"""The entry point group in which installed packages name their `ApproachSpec`s."""

_BUILT_IN = (
    "backends.raw:SPEC",
    "backends.fine_tuned:SPEC",
    "backends.paid_api:SPEC",
    "backends.rag:SPEC",
)
"""Where each spec is, in the order in which approaches are shown and take turns."""

SHADES = ("#6b2fb3", "#a566e0", "#5a1f8f", "#b07ae8", "#7a4fd0", "#9a3fc4")
"""Colours of an approach's variants, around the paid API's own violet."""

_log = logging.getLogger(__name__)

ImportString = str
"""`package.module:name` of something that is imported when it is first needed, Streamlit code included."""


@dataclass(frozen=True, slots=True)
class ApproachSpec:
    """One approach, for the registry, navigation, pages, charts, costs and the terminal.

    `make` gives its backend for the settings in force and, for a variant such as `paid_api:NAME`, that NAME; it raises
    `BackendError` for settings that cannot work. `colour` is Streamlit's name for a colour and `hex` the same in
    charts; hues after Okabe and Ito's palette for colour-blind readers (2008), darkened for contrast on white.
    """

    id: str
    """A Python name: also the section of its settings and the end of its page's address."""

    name: str
    """What people read: Raw model."""

    make: ImportString | Callable[..., Backend]

    what: str = ""
    """What it is, in a sentence or two."""

    use_when: str = ""
    """When to choose it: goes on after "Choose it"."""

    avoid_when: str = ""
    """When not to: goes on after "Leave it"."""

    subject: str = ""
    """What it is called within a sentence ("the raw model"); its name if empty."""

    icon: str = ":material/extension:"
    colour: str = "gray"
    hex: str = "#5f6b7a"

    section: type[BaseModel] | None = None
    """Its settings, `ID.NAME`, unless they are part of `Settings` already: a frozen pydantic model with defaults."""

    panel: ImportString = ""
    """Draws the widgets of its settings: `panel(settings)`, or `panel(settings, name)` where there are variants.

    If empty, the fields of `section` are drawn, each by its type, with its limits and description.
    """

    page: ImportString = "ui.ask.page:approach_page"
    """Draws its page: `page(id)`."""

    offer: ImportString = ""
    """Draws what helps where it cannot answer yet: `offer(settings, question or None, key)`. Nothing if empty."""

    warm_up: bool = False
    """Whether it is loaded in the background when the app starts."""

    writes: bool = False
    """Whether it can write a retrieval answer: it takes a prompt as it comes."""

    monthly: Literal["machine", "trained", "paid", "documents"] = "machine"
    """How a month is paid for:

    - `machine`: seconds of this machine;
    - `trained`: seconds of this machine, and the training;
    - `paid`: tokens;
    - `documents`: what the approach that writes is paid for, seconds of this machine for the search, and keeping the
      documents.
    """

    variants: ImportString | Callable[[Settings], tuple[str, ...]] = ""
    """Gives the names of further ones of its kind, each asked as `ID:NAME`; none if empty."""

    def loaded(self, field: str) -> Any:
        """What one of the import strings names, or None where it is empty."""
        found = getattr(self, field)
        return load(found) if isinstance(found, str) and found else found or None

    @property
    def in_a_sentence(self) -> str:
        """Its subject, or else its name."""
        return self.subject or self.name

    @property
    def title(self) -> str:
        """Icon and name in its colour, as Markdown. Its name is the program's own text."""
        return f":{self.colour}[{self.icon} **{self.name}**]"


def load(lazy: ImportString) -> Any:
    """What `package.module:name` names."""
    module, _, name = lazy.partition(":")
    return getattr(import_module(module), name)


_Known = TypeVar("_Known")


def load_group(
    group: str, noun: str, built_in: Iterable[ImportString], named: Callable[[Any], Mapping[str, _Known]]
) -> tuple[dict[str, _Known], tuple[str, ...]]:
    """What is built in and what installed packages add in an entry point group, by name.

    `named` gives the names of what a module or an entry point holds, and raises for what is of another kind. Second, a
    sentence for each entry point that could not be loaded: `noun` says in it what one of them is called.
    """
    from importlib.metadata import entry_points

    found = {name: one for lazy in built_in for name, one in named(load(lazy)).items()}
    faults = []
    for point in entry_points(group=group):
        try:
            more = named(point.load())
            if taken := sorted(more.keys() & found.keys()):
                raise ValueError(f"there is {_a(noun)} {taken[0]!r} already")
        except Exception as fault:  # a package of somebody else's: its fault must not take the others away
            _log.exception("the entry point %s", point.value)
            faults.append(f"The {noun} {point.name} of an installed package could not be loaded: {fault}.")
        else:
            found |= more
    return found, tuple(faults)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@cache
def _known() -> tuple[dict[str, ApproachSpec], tuple[str, ...]]:
    return load_group(GROUP, "approach", _BUILT_IN, _by_id)


def _by_id(spec: Any) -> dict[str, ApproachSpec]:
    if not isinstance(spec, ApproachSpec) or not spec.id.isidentifier():
        raise TypeError("it is no ApproachSpec with a Python name as its id")
    return {spec.id: spec}


def specs() -> tuple[ApproachSpec, ...]:
    """Every approach, in the order in which they are shown and take turns; those of installed packages last."""
    return tuple(_known()[0].values())


def faults() -> tuple[str, ...]:
    """A sentence for each approach of an installed package that could not be loaded."""
    return _known()[1]


def spec_of(approach: str) -> ApproachSpec:
    """The spec of an approach id; a variant has its name beside that of its kind, and a shade of its own.

    An id that nothing is known of, as an old ledger may hold, gets a plain one.
    """
    kind, _, name = approach.partition(":")
    found = _known()[0].get(kind)
    if found is None:
        return ApproachSpec(approach, visible(approach.replace("_", " ")).capitalize(), "")
    if not name:
        return found
    shade = SHADES[zlib.crc32(name.encode()) % len(SHADES)]
    return replace(found, id=approach, offer="", name=f"{found.name} \u00b7 {visible(name)}", subject="", hex=shade)


def is_known(approach: str) -> bool:
    """Whether an id is that of an approach or of a variant of one that has variants."""
    kind, colon, name = approach.partition(":")
    found = _known()[0].get(kind)
    return found is not None and (not colon or bool(name and found.variants))


def approaches(settings: Settings) -> tuple[str, ...]:
    """Every id that can be asked with these settings: each approach with its variants behind it."""
    return tuple(approach for spec in specs() for approach in (spec.id, *_variants(spec, settings)))


def _variants(spec: ApproachSpec, settings: Settings) -> tuple[str, ...]:
    named = spec.loaded("variants")
    return tuple(f"{spec.id}:{name}" for name in named(settings)) if named else ()


def writers(settings: Settings) -> tuple[str, ...]:
    """The ids that can write a retrieval answer. Who shows recorded answers writes no new one."""
    from backends.remote.connections import is_recorded

    return tuple(one for one in approaches(settings) if spec_of(one).writes and not is_recorded(settings, one))


def make(approach: str, settings: Settings) -> Backend:
    """The backend for an approach id. Raises `BackendError` for an id that does not exist."""
    known = approaches(settings)
    if approach not in known:
        raise BackendError(f"There is no approach called {approach!r}.", f"The ids are {', '.join(known)}.")
    if settings.scripted:
        from backends.scripted import WordsBackend

        return WordsBackend(approach)
    kind, _, name = approach.partition(":")
    made: Callable[..., Backend] = spec_of(kind).loaded("make")
    return made(settings, name) if name else made(settings)
