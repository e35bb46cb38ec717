"""The section Proof: base and adapter on the same questions, what was learned, and what was forgotten."""

from __future__ import annotations

from backends.fine_tuned.catalogue import Adapter
from backends.settings import Settings
from evaluation.adapter_proof import proof_key, start_proof
from evaluation.proof_record import AdapterProof, read_proof, stored_proofs
from ui.fine_tuned.proved import show_proof
from ui.fine_tuned.question_choice import Questions
from ui.fine_tuned.question_section import Start, question_section, stored_result


def draw(current: Settings) -> None:
    """Draw the section."""
    start = Start(
        "prove",
        "Prove",
        ":material/fact_check:",
        "Base and adapter answer every question, and then some of general knowledge, to see what was forgotten.",
        _begin,
    )
    cancelled = "The answers so far are kept: prove with the same questions again to go on."
    adapter = question_section(current, "proof", proof_key(current.data), start, cancelled)
    if adapter is None:
        return
    files = stored_proofs(current.data, adapter.sha256)
    proof = stored_result(files, read_proof, "Proof", _title, "Nothing was proved of this adapter yet.")
    if proof is not None:
        show_proof(adapter, proof)


def _begin(current: Settings, adapter: Adapter, questions: Questions) -> None:
    start_proof(current, adapter.name, questions.samples, questions.name)


def _title(one: AdapterProof) -> str:
    return f"{one.created:%Y-%m-%d %H:%M} UTC, {one.question_set}"
