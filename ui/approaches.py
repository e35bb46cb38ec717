"""How each approach looks everywhere: name, icon, one colour; and what to know about it in plain words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from backends.remote.connections import PAID_API, name_in
from ui.shared.text import escaped, plain


@dataclass(frozen=True, slots=True)
class Look:
    """One approach on the screen. `colour` is Streamlit's name for it, `hex` the same colour in charts.

    Hues after Okabe and Ito's palette for colour-blind readers (2008), darkened for contrast on white.
    """

    approach: str
    name: str
    icon: str
    colour: str
    hex: str
    what: str
    choose: str
    avoid: str

    @property
    def title(self) -> str:
        """Icon and name for headings, in the approach's colour."""
        return f":{self.colour}[{self.icon} **{self._letters}**]"

    @property
    def option(self) -> str:
        """Icon and name where one of several is chosen."""
        return f"{self.icon} {self._letters}"

    @property
    def _letters(self) -> str:
        """The name for Markdown: a connection's is not ours."""
        return self.name if self.approach in LOOKS else escaped(self.name)


LOOKS = {
    look.approach: look
    for look in (
        Look(
            "raw",
            "Raw model",
            ":material/deployed_code:",
            "blue",
            "#2f6fde",
            "A language model from the Hub, exactly as published. It knows what was in its training data and "
            "nothing about your company.",
            "for general language work (rephrasing, summarising, drafting), as the baseline to beat, "
            "and where data must not leave the machine.",
            "when answers need facts that are yours or recent: it will invent them, and sound sure.",
        ),
        Look(
            "fine_tuned",
            "Fine-tuned",
            ":material/model_training:",
            "orange",
            "#c2700a",
            "The same weights with a small adapter (LoRA) trained on question/answer pairs of yours. The adapter is a "
            "few megabytes; the base stays untouched and is shared with the raw column.",
            "for a narrow, stable task with a few hundred good examples: a tone, a format, a fixed body of facts. It "
            "answers as fast as the small model and needs no documents at run time.",
            "when facts change often (each change means training again) or when answers must cite a source.",
        ),
        Look(
            "paid_api",
            "Paid API",
            ":material/payments:",
            "violet",
            "#8446c9",
            "A giant model that somebody else runs. You send the question over the network and pay per token.",
            "for hard reasoning, many languages, low volume, or to get going today: nothing to host.",
            "when questions may not leave the house, when volume makes tokens dearer than a machine, or when the "
            "provider's outages, limits and model changes are not acceptable.",
        ),
        Look(
            "rag",
            "RAG",
            ":material/menu_book:",
            "green",
            "#16825d",
            "Retrieval-augmented generation: your documents are searched for passages close to the question, and the "
            "model answers from those passages, which are shown.",
            "when answers live in documents that change, and people must be able to check where a sentence comes from.",
            "when there are no documents to search, or the answer needs a whole document rather than a few passages.",
        ),
    )
}


_SHADES = ("#6b2fb3", "#a566e0", "#5a1f8f", "#b07ae8", "#7a4fd0", "#9a3fc4")
"""Violets around the paid API's own, for named connections."""


def look_of(approach: str) -> Look:
    """How an approach looks; a named connection is of the paid API's family, one without a look gets a plain one."""
    if name := name_in(approach):
        shade = _SHADES[zlib.crc32(name.encode()) % len(_SHADES)]
        return replace(
            LOOKS[PAID_API], approach=approach, name=f"{LOOKS[PAID_API].name} \u00b7 {plain(name)}", hex=shade
        )
    return LOOKS.get(approach) or Look(
        approach, plain(approach.replace("_", " ")).capitalize(), ":material/extension:", "gray", "#5f6b7a", "", "", ""
    )
