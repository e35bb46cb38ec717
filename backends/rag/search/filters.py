"""Which documents of a collection are searched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backends.errors import BackendError
from backends.matching import matchable
from backends.rag.store.library import DocumentInfo
from backends.settings import RagSettings

_NAMED = 5
"""Values of a kind that are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Only documents with one of these names, formats and languages; what is empty does not restrict."""

    documents: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: RagSettings) -> Filters:
        """The filters in force."""
        return cls(settings.documents, settings.formats, settings.languages)

    @property
    def count(self) -> int:
        """How many values are chosen; 0 restricts nothing."""
        return len(self.documents) + len(self.formats) + len(self.languages)

    @property
    def describe(self) -> str:
        """`document a.pdf or b.txt, format pdf`; "" if nothing is restricted."""
        kinds = (("document", self.documents), ("format", self.formats), ("language", self.languages))
        return ", ".join(f"{kind} {_either(values)}" for kind, values in kinds if values)

    def admits(self, document: DocumentInfo, names: Collection[str]) -> bool:
        """Whether a document may be searched; `names` are those of `documents` as they are in the collection."""
        return (
            (not self.documents or document.name in names)
            and (not self.formats or document.format in self.formats)
            and (not self.languages or (document.language or "") in self.languages)
        )

    def _named(self, there: Sequence[str]) -> set[str]:
        """The documents that are meant: those of exactly this name, else those whose name differs in spelling only."""
        if not self.documents:
            return set()
        exact, alike = set(there), _prepared_names(there)
        return {one for name in self.documents for one in ({name} if name in exact else alike[matchable(name)])}

    def names(self, documents: Sequence[DocumentInfo]) -> list[str]:
        """The documents that may be searched, by name. Raises `BackendError` if there is none of them."""
        named = self._named([document.name for document in documents])
        found = [document.name for document in documents if self.admits(document, named)]
        if not found:
            raise BackendError(
                f"No document of the collection passes the filters ({self.describe}).", "Change or remove the filters."
            )
        return found


def _prepared_names(names: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name in names:
        found[matchable(name)].add(name)
    return found


EVERYTHING = Filters()
"""Nothing is left out."""


def _either(values: Sequence[str]) -> str:
    more = len(values) - _NAMED
    return " or ".join((*values[:_NAMED], f"{more} more") if more > 0 else values)
