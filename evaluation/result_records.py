"""Proofs and attributions as plain records: what `--json` prints and scripts rely on. Shares are from 0 to 1."""

from __future__ import annotations

from typing import Any

from evaluation.attribution_record import Arm, Attribution
from evaluation.intervals import Estimate
from evaluation.judging import Gain, Judged, Share
from evaluation.proof_record import AdapterProof
from evaluation.training_data import Seen


def proof_json(proof: AdapterProof) -> dict[str, Any]:
    """Scores of base and adapter, their paired difference, what was forgotten, and every question with both answers."""
    forgetting = proof.forgetting
    return {
        "adapter": proof.adapter,
        "sha256": proof.sha256,
        "base_model": proof.base_model,
        "question_set": proof.question_set,
        "left_out": proof.left_out,
        "base": _share(proof.base) | {"semantic": _estimate(proof.base_semantic)},
        "tuned": _share(proof.tuned) | {"semantic": _estimate(proof.tuned_semantic)},
        "difference": _gain(proof.difference) | {"semantic": _estimate(proof.semantic_difference)},
        "to_right": [row.sample.id for row in proof.to_right],
        "to_wrong": [row.sample.id for row in proof.to_wrong],
        "forgetting": None
        if forgetting is None
        else {"known_by_base": forgetting.kept.questions, "kept": _share(forgetting.kept)}
        | {"lost": [row.sample.question for row in forgetting.lost]},
        "training": _seen(proof.seen),
        "questions": [_judged(row) for row in proof.rows],
    }


def attribution_json(found: Attribution) -> dict[str, Any]:
    """The four arms, what each technique bought, the parts of the set, and every question with all answers."""
    return {
        "adapter": found.adapter,
        "sha256": found.sha256,
        "question_set": found.question_set,
        "collection": found.collection,
        "passages": found.passages,
        "left_out": found.left_out,
        "arms": {name: _arm(arm) for name, arm in found.arms.items()},
        "techniques": {
            name: _gain(one.gain) | {"extra_s": _estimate(one.seconds), "extra_usd_per_1000": _text(one.usd_per_1000)}
            for name, one in found.techniques.items()
        },
        "slices": {
            part.name: {"questions": part.questions, "right": {arm: one.right for arm, one in part.right.items()}}
            | {"gains": {name: _gain(gain) for name, gain in part.gains.items()}}
            for part in found.slices
        },
        "training_usd": _text(found.training_usd),
        "training_usd_per_1000": _text(found.training_usd_per_1000),
        "training": _seen(found.seen),
        "questions": [_judged(row) for row in found.rows],
    }


def _arm(arm: Arm) -> dict[str, Any]:
    return {
        "model": arm.model,
        "right": _share(arm.right),
        "semantic": _estimate(arm.semantic),
        "latency_p50_s": arm.latency_p50_s,
        "latency_s": arm.latency_s,
        "prompt_tokens": arm.prompt_tokens,
        "completion_tokens": arm.completion_tokens,
        "cost_usd": _text(arm.usd),
        "failed": arm.failed,
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"right": share.right, "questions": share.questions, "share": share.value, "low": low, "high": high}


def _estimate(value: Estimate | None) -> dict[str, float] | None:
    return None if value is None else {"value": value.value, "low": value.low, "high": value.high}


def _gain(gain: Gain) -> dict[str, Any]:
    one = gain.estimate
    return {"value": one.value, "low": one.low, "high": one.high, "changed": gain.changed, "clear": gain.clear}


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"pairs": seen.pairs, "leaked": seen.kinds(), "facts_taught": len(seen.taught)}


def _judged(row: Judged) -> dict[str, Any]:
    answers = {
        arm: {"text": one.text, "status": one.status, "right": row.right[arm], "semantic": row.semantic[arm]}
        for arm, one in row.answers.items()
    }
    return {"id": row.sample.id, "question": row.sample.question, "reference": row.sample.reference_answer} | answers


def _text(value: object | None) -> str | None:
    return None if value is None else f"{value:f}"
