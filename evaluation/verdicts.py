"""What a proof or an attribution shows, in sentences: figures with their intervals, and what may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.attribution import ADAPTER, BASE, BOTH, QUOTED, RAG, Attribution
from evaluation.judging import FEWEST_CHANGED, Gain, Judged, further_scorers, summary
from evaluation.proof import AdapterProof
from evaluation.scorers import Score, title_of
from evaluation.training_data import Seen

ARM_NAMES = {BASE: "Base", RAG: "Base + RAG", ADAPTER: "Adapter", BOTH: "Adapter + RAG", QUOTED: "Quote, no model"}

TECHNIQUE_NAMES = {
    "rag": "RAG alone",
    "adapter": "Adapter alone",
    "both": "Both",
    "rag_besides": "RAG, with the adapter there",
    "adapter_besides": "Adapter, with RAG there",
    "interaction": "Both beyond the sum",
    "over_quote": "Adapter, over quoting",
}


def points(share: float) -> str:
    """A difference of shares in percentage points: `+45`, `−3`, `0`."""
    rounded = round(100 * share)
    return f"{rounded:+d}".replace("-", "\u2212") if rounded else "0"


def gain_words(gain: Gain) -> str:
    """`+45 points (95 % interval +30 to +58)`."""
    estimate = gain.estimate
    unit = "point" if abs(round(100 * estimate.value)) == 1 else "points"
    return f"{points(estimate.value)} {unit} (95 % interval {points(estimate.low)} to {points(estimate.high)})"


def proof_verdict(proof: AdapterProof) -> str:
    """Whether the adapter answers more questions right than its base."""
    words, count = gain_words(proof.difference), proof.base.questions
    asked = f"on {count} question{'s' if count != 1 else ''}"
    if not proof.difference.clear:
        open_ = "may be chance" if proof.difference.may_be_chance else "is left open"
        return f"{asked.capitalize()} the difference {open_}: {words}{_few(proof.difference)}."
    if proof.difference.estimate.value > 0:
        return f"{proof.adapter} answers more right than its base: {words}, {asked}."
    return f"{proof.adapter} answers fewer right than its base: {words}, {asked}."


def forgetting_verdict(proof: AdapterProof) -> str:
    """How much of what the base knew the adapter still does."""
    if proof.forgetting is None:
        return "Forgetting: unknown, for the base answers none of the general questions right."
    kept, lost = proof.forgetting.kept, len(proof.forgetting.lost)
    known = f"of {kept.questions} general questions that the base answers right"
    if not lost:
        return f"Nothing was forgotten: {known}, the adapter answers all right."
    return f"Forgotten: {known}, the adapter gets {lost} wrong. It keeps {kept}."


def seen_words(seen: Seen | None, questions: int) -> str:
    """What training saw of the questions, and what that means for the figures."""
    if seen is None:
        return (
            "Whether training saw these questions is unknown: its pairs are not on this machine. "
            "If it did, the adapter's figures flatter it."
        )
    pairs = f"the {seen.pairs:,} training pairs"
    facts = f"For {len(seen.taught)} of {questions} the facts stand in the training answers"
    facts += ", so there the adapter recalls what it was taught." if seen.taught else "."
    if not seen.asked:
        return f"None of the {questions} questions is asked in these or nearly these words in {pairs}. {facts}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in seen.kinds().items())
    return (
        f"Leak: {len(seen.asked)} of {questions} questions are asked in the same or nearly the same words in {pairs} "
        f"({kinds}), so the adapter's figures flatter it. {facts}"
    )


def other_prompt_words(card: Mapping[str, Any], system_prompt: str) -> str:
    """That an adapter was trained with another system prompt than the one in force; "" if not, or if unknown."""
    settings = card.get("settings")
    trained = settings.get("system_prompt") if isinstance(settings, dict) else None
    if not isinstance(trained, str) or trained == system_prompt:
        return ""
    own = f'"{trained[:200]}"' if trained else "an empty one"
    return (
        f"It was trained with another system prompt than the one in force, so it may answer worse than it could. "
        f"Its own is {own}: give it as system_prompt to ask it as it was trained."
    )


def attribution_verdicts(found: Attribution) -> list[str]:
    """What bought what, a sentence each; what the intervals leave open is said to be open."""
    arms, count = found.arms, len(found.rows)
    start = ", ".join(f"{ARM_NAMES[name]} {100 * arm.right.value:.0f} %" for name, arm in arms.items())
    gains = {name: technique.gain for name, technique in found.techniques.items()}
    first = f"Right answers on {count} questions: {start}."
    if "over_quote" in gains:
        return [
            first,
            gain_sentence("Reading with the adapter, in place of the base,", gains["adapter_besides"]),
            gain_sentence("Reading with the adapter, in place of quoting,", gains["over_quote"]),
        ]
    return [
        first,
        gain_sentence("RAG alone", gains["rag"]),
        gain_sentence("The adapter alone", gains["adapter"]),
        gain_sentence("RAG, where the adapter is there already,", gains["rag_besides"]),
        gain_sentence("The adapter, where RAG is there already,", gains["adapter_besides"]),
        _interaction(gains["interaction"]),
    ]


def gain_sentence(what: str, gain: Gain) -> str:
    """`RAG alone bought +38 points (95 % interval +22 to +53).`, or that it may be chance, or that it cost points."""
    if gain.may_be_chance:
        return f"{what} made no difference that could not be chance: {gain_words(gain)}."
    if not gain.clear:
        return f"{what} made a difference that is left open: {gain_words(gain)}{_few(gain)}."
    return f"{what} {'bought' if gain.estimate.value > 0 else 'cost'} {gain_words(gain)}."


def _few(gain: Gain) -> str:
    """Why it is open although the interval does not hold 0."""
    return "" if gain.may_be_chance else f", but {gain.doubt} and {FEWEST_CHANGED} are needed"


def _interaction(gain: Gain) -> str:
    if not gain.clear:
        return (
            f"Whether both together bring more or less than the sum of the two is open: {gain_words(gain)}{_few(gain)}."
        )
    if gain.estimate.value < 0:
        return f"Together they bring less than the sum of the two, so they partly buy the same: {gain_words(gain)}."
    return f"Together they bring more than the sum of the two: {gain_words(gain)}."


def further_scores(rows: Sequence[Judged], arms: Sequence[str]) -> list[str]:
    """A sentence for each scorer beside `right` and `semantic`: its title, and what it gave each arm."""
    return [
        f"{title_of(name)}: " + "; ".join(f"{ARM_NAMES[arm]} {summary(rows, name, arm)}" for arm in arms) + "."
        for name in further_scorers(rows)
    ]


def score_words(score: Score) -> str:
    """A score in a cell: `yes`, `0.71`, or why there is no value."""
    if score.value is None:
        what = "scorer failed" if score.status == "failed" else "not applicable"
        return f"{what}: {score.reason}"
    if isinstance(score.value, bool):
        return "yes" if score.value else "no"
    return f"{score.value:.3g}".replace("-", "\u2212")
