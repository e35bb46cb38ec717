"""The page of the fine_tuned approach: ask it, and its sections."""

from __future__ import annotations

from ui.ask.page import approach_page
from ui.shared.sections import Section

SECTIONS = (
    Section("Pairs", "ui.fine_tuned.pairs:draw"),
    Section("Train", "ui.fine_tuned.train:draw"),
    Section("Adapters", "ui.fine_tuned.adapters:draw"),
    Section("Proof", "ui.fine_tuned.proof:draw"),
    Section("Attribution", "ui.fine_tuned.attribution:draw"),
)


def fine_tuned_page(approach: str) -> None:
    """Draw the section that is open."""
    approach_page(
        approach,
        SECTIONS,
        "The script answers without weights, so there is nothing to train here. Start the app without "
        "`CROSSROADS_SCRIPTED` to see it.",
    )
