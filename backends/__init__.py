"""The approaches, by id. To add one: write a `Backend` in a file of its own and name it in `_FACTORIES`.

Nothing heavy is imported before an approach is made.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.base import Backend
from backends.errors import BackendError
from backends.remote.connections import DEFAULT, approach_of, name_in
from backends.settings import Settings


def _raw(settings: Settings) -> Backend:
    from backends.raw import RawBackend

    return RawBackend(settings)


def _fine_tuned(settings: Settings) -> Backend:
    from backends.fine_tuned.approach import FineTunedBackend
    from backends.fine_tuned.served import ServedFineTunedBackend

    return ServedFineTunedBackend(settings) if settings.fine_tuned.base_url else FineTunedBackend(settings)


def _paid_api(settings: Settings, name: str = DEFAULT) -> Backend:
    from backends.paid_api import PaidApiBackend
    from backends.remote import stand_in

    return PaidApiBackend(settings, None if name else stand_in.running(settings.data), name)


def _rag(settings: Settings) -> Backend:
    from backends.rag.approach import RagBackend

    return RagBackend(settings, make(settings.rag.generator, settings))


_FACTORIES: dict[str, Callable[[Settings], Backend]] = {
    "raw": _raw,
    "fine_tuned": _fine_tuned,
    "paid_api": _paid_api,
    "rag": _rag,
}

APPROACHES = tuple(_FACTORIES)
"""Every approach id, in the order in which they are shown and take turns."""


def approaches(settings: Settings) -> tuple[str, ...]:
    """`APPROACHES` with every named connection (`paid_api:NAME`) behind the paid API."""
    place = APPROACHES.index("paid_api") + 1
    named = (approach_of(name) for name in sorted(settings.connections))
    return (*APPROACHES[:place], *named, *APPROACHES[place:])


def make(approach: str, settings: Settings) -> Backend:
    """The backend for an approach id. Raises `BackendError` for an id that does not exist."""
    known = approaches(settings)
    if approach not in known:
        raise BackendError(f"There is no approach called {approach!r}.", f"The ids are {', '.join(known)}.")
    if settings.scripted:
        from backends.scripted import ScriptedBackend

        return ScriptedBackend(approach, settings)
    name = name_in(approach)
    return _paid_api(settings, name) if name else _FACTORIES[approach](settings)
