"""Inputs with round numbers, for exact results."""

from __future__ import annotations

from decimal import Decimal

from evaluation.costs.inputs import Input, Inputs, PaymentProfile

VALUES = {
    "questions": "10000",
    "machine.usd_per_hour": "0.36",
    "machine.utilisation": "0.5",
    "machine.at_once": "1",
    "paid_api.price.input": "0.4",
    "paid_api.price.cached": "0.1",
    "paid_api.price.output": "1.6",
    "training.seconds": "7200",
    "training.per_month": "2",
    "documents.chunks": "2000",
    "documents.bytes": "5000",
    "documents.embed_s": "0.05",
    "documents.per_month": "3",
    "documents.usd_per_gb_month": "0.1",
    "raw.machine_s": "2",
    "fine_tuned.machine_s": "2",
    "paid_api.machine_s": "1",
    "rag.machine_s": "4",
    "paid_api.prompt_tokens": "100",
    "paid_api.cached_share": "0.25",
    "paid_api.completion_tokens": "50",
    "rag.prompt_tokens": "600",
    "rag.cached_share": "0",
    "rag.completion_tokens": "50",
    "raw.completion_tokens": "50",
    "fine_tuned.completion_tokens": "50",
}
WAYS = (
    PaymentProfile("raw", "base", on_machine=True),
    PaymentProfile("fine_tuned", "adapter", on_machine=True, trained=True),
    PaymentProfile("paid_api", "gpt-4.1-mini", by_token=True, paid=True),
    PaymentProfile("rag", "handbook", on_machine=True, documents=True),
)


def made_inputs(rented: bool = True, ways: tuple[PaymentProfile, ...] = WAYS, **changes: str | None) -> Inputs:
    """The values above; `raw__machine_s="1"` replaces one, None makes it unknown."""
    values = VALUES | {name.replace("__", "."): value for name, value in changes.items()}
    return Inputs(
        {
            name: Input(None if value is None else Decimal(value), "", "your assumption", "" if value else f"no {name}")
            for name, value in values.items()
        },
        ways,
        rented,
    )
