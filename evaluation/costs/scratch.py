"""What training a language model from scratch would cost, to show why this is not the way to go.

FLOPs = 6 × parameters × tokens: J. Kaplan et al., "Scaling Laws for Neural Language Models", arXiv:2001.08361 (2020),
section 2.1. About 20 tokens per parameter: J. Hoffmann et al., "Training Compute-Optimal Large Language Models",
arXiv:2203.15556 (2022). Models are trained on many more today, so this is the least; the default base model
is computed with what it was trained on, too. One run that succeeds at once: no failed runs, no data, nobody's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from evaluation.costs.inputs import Inputs, UnknownValue
from evaluation.costs.monthly import as_decimal

FORMULA = (
    "6 × parameters × tokens ÷ (peak FLOP/s of a GPU × utilisation × 3,600) = GPU hours; × USD per GPU hour. "
    "Tokens = parameters × tokens per parameter."
)
TOKENS_PER_PARAMETER = Decimal(20)
"""Hoffmann et al. 2022, arXiv:2203.15556, table 3."""

UTILISATION = Decimal("0.4")
"""Of a GPU's peak. PaLM reached 0.462: A. Chowdhery et al., arXiv:2204.02311 (2022), section 4.1."""

PEAK_FLOPS = Decimal(989_000_000_000_000)
"""FLOP/s of an NVIDIA H100 SXM, bfloat16 without sparsity: NVIDIA H100 data sheet (2023), 1,979 × 10^12 with it."""

USD_PER_GPU_HOUR = Decimal("2.50")
"""For renting an H100: an assumption of November 2026, to be replaced by your offer."""

SIZES = {
    "135M": 135_000_000,
    "1B": 1_000_000_000,
    "8B": 8_000_000_000,
    "70B": 70_000_000_000,
}
SMOLLM2_PARAMETERS, SMOLLM2_TOKENS = 135_000_000, Decimal(2_000_000_000_000)
"""The default base model: L. Ben Allal et al., "SmolLM2", arXiv:2502.02737 (2025)."""

CLUSTERS = (8, 1024)
"""Numbers of GPUs for which days are shown."""


@dataclass(frozen=True, slots=True)
class ScratchTraining:
    """One training from scratch. `days` by number of GPUs; `factor` is its cost over that of fine-tuning."""

    name: str
    parameters: int
    tokens: Decimal
    flops: Decimal
    gpu_hours: Decimal
    days: dict[int, Decimal]
    usd: Decimal
    factor: Decimal | None


def from_scratch(
    fine_tuning_usd: Decimal | None,
    usd_per_gpu_hour: Decimal = USD_PER_GPU_HOUR,
    utilisation: Decimal = UTILISATION,
    tokens_per_parameter: Decimal = TOKENS_PER_PARAMETER,
    peak_flops: Decimal = PEAK_FLOPS,
    parameters: int | None = None,
) -> tuple[ScratchTraining, ...]:
    """For every size, for one of `parameters` if it is another one, and last the default base model as it was trained.

    `fine_tuning_usd` is what one fine-tuning costs, None if unknown. Raises `ValueError` if a GPU computes nothing.
    """
    if peak_flops <= 0 or utilisation <= 0:
        raise ValueError("A GPU that computes nothing never finishes.")
    flops_per_s = peak_flops * utilisation
    wanted = dict(SIZES)
    if parameters is not None and parameters not in SIZES.values():
        wanted[size_name(parameters)] = parameters
    sizes = tuple(
        _training(name, size, size * tokens_per_parameter, fine_tuning_usd, usd_per_gpu_hour, flops_per_s)
        for name, size in sorted(wanted.items(), key=lambda pair: pair[1])
    )
    name = "135M, as SmolLM2 was"
    published = _training(name, SMOLLM2_PARAMETERS, SMOLLM2_TOKENS, fine_tuning_usd, usd_per_gpu_hour, flops_per_s)
    return (*sizes, published)


def size_name(parameters: int) -> str:
    """A number of parameters as models are called by it: `8B`, `135M`."""
    unit, letter = (10**9, "B") if parameters >= 10**9 else (10**6, "M")
    return f"{(Decimal(parameters) / unit).normalize():f}{letter}"


def fine_tuning_cost(inputs: Inputs) -> Decimal | None:
    """What one fine-tuning costs in USD: its seconds at the machine rate. None if either is unknown."""
    try:
        return as_decimal(inputs.exact("training.seconds") / 3600 * inputs.exact("machine.usd_per_hour"))
    except UnknownValue:
        return None


def _training(
    name: str,
    parameters: int,
    tokens: Decimal,
    fine_tuning_usd: Decimal | None,
    usd_per_gpu_hour: Decimal,
    flops_per_s: Decimal,
) -> ScratchTraining:
    flops = 6 * parameters * tokens
    hours = flops / (flops_per_s * 3600)
    usd = hours * usd_per_gpu_hour
    factor = usd / fine_tuning_usd if fine_tuning_usd else None
    days = {gpus: hours / gpus / 24 for gpus in CLUSTERS}
    return ScratchTraining(name, parameters, tokens, flops, hours, days, usd, factor)
