"""Comments on slides, as PowerPoint stored them until 2021 and since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.rag.documents.readers.drawings import text_of_paragraphs
from backends.rag.documents.readers.office_parts import parse


def authors_of(presentation: Any) -> dict[str, str]:
    """Id -> name of those who wrote comments."""
    found: dict[str, str] = {}
    for root in _related(presentation.part, ("commentAuthors", "authors")):
        for one in root:
            found[one.get("id", "")] = " ".join(one.get("name", "").split())
    return found


def comments_of(slide: Any, authors: dict[str, str]) -> Iterator[str]:
    """Each comment of a slide with its author, and the answers to it."""
    for root in _related(slide.part, ("comments",)):
        for one in root.iter():
            kind = str(one.tag).rpartition("}")[2]
            if kind not in ("cm", "reply"):
                continue
            text = next((child.text or "" for child in one if str(child.tag).endswith("}text")), "")
            bodies = [child for child in one if str(child.tag).endswith("}txBody")]
            words = " ".join(" ".join([text, *map(text_of_paragraphs, bodies)]).split())
            author = authors.get(one.get("authorId", ""), "")
            if words:
                yield f"{author}: {words}" if author else words


def _related(part: Any, kinds: tuple[str, ...]) -> Iterator[Any]:
    for relation in part.rels.values():
        if relation.is_external or relation.reltype.rsplit("/", 1)[-1] not in kinds:
            continue
        try:
            yield parse(relation.target_part.blob)
        except MemoryError:
            raise
        except Exception:  # noqa: S112 - a damaged part of comments does not make the slides unreadable
            continue
