"""What keeps the questions of the pages in the history, on the thread that asks them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from backends.errors import BackendError
from backends.run.live import LiveComparison
from backends.settings import Settings

_log = logging.getLogger(__name__)


def history_keeper(current: Settings, page: str, who: str) -> Callable[[LiveComparison], None]:
    """What keeps a comparison of `page` whenever an answer is there; nothing where texts are not kept.

    A store that fails has said so where the costs are recorded, so here it is only logged.
    """
    if not current.store.keep_texts:
        return lambda comparison: None

    def keep(comparison: LiveComparison) -> None:
        from backends.store.database import store_of
        from evaluation.history import keep_asked

        try:
            keep_asked(store_of(current), page, who, comparison)
        except BackendError as fault:
            _log.warning("a question of %s is not in the history: %s", page, fault)
        except Exception:
            _log.exception("a question of %s could not be kept in the history", page)

    return keep
