"""What became of files that were given, in words."""

from __future__ import annotations

from backends.rag.store.progress import IndexProgress
from ui.rag.upload import cancelled, summary

ADDED = IndexProgress(1, 4, 3, "a.txt", "indexed")
REFUSED = IndexProgress(2, 4, 3, "b.pdf", "rejected", "It is empty.")
AGAIN = IndexProgress(3, 4, 3, "c.txt", "skipped")


def test_files_are_counted_by_what_became_of_them() -> None:
    assert summary([ADDED, REFUSED, AGAIN]) == "1 added, 1 unchanged, 1 not read."
    assert summary([]) == "Done."


def test_a_cancelled_job_says_what_it_has_not_done() -> None:
    assert cancelled([]) == "Stopped. Nothing was changed."
    assert cancelled([ADDED]) == "Stopped. 1 added. 3 not done: nothing of them was kept or changed."
    assert cancelled([ADDED, REFUSED, AGAIN]) == (
        "Stopped. 1 added, 1 unchanged, 1 not read. 1 not done: nothing of it was kept or changed."
    )
    assert cancelled([ADDED, REFUSED, AGAIN, AGAIN]) == "Stopped. 1 added, 2 unchanged, 1 not read."
