"""What this browser session assumes in place of what was measured; it survives a change of page and a reload."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import streamlit as st

from backends.remote.connection_settings import PAID_API
from backends.settings import Settings
from evaluation.costs.current_inputs import current_inputs
from evaluation.costs.inputs import Inputs
from evaluation.costs.paid import AddedModel

_CHANGES = "cost_changes"
_BILLING = "cost_billing"
_DRAWN, _ADDED = "cost_paid_models", "cost_models_added"

RENTED, BY_THE_SECOND = "machines rented all month", "pay per second used"


def changes() -> dict[str, Decimal]:
    """The values that were typed, by name."""
    found: dict[str, Decimal] = st.session_state.setdefault(_CHANGES, {})
    return found


def billing() -> str:
    """How machines are paid for: `RENTED` or `BY_THE_SECOND`."""
    return str(st.session_state.setdefault(_BILLING, RENTED))


def choose_billing(billing_kind: str) -> None:
    """Pay for machines in another way from now on."""
    st.session_state[_BILLING] = billing_kind


def compared_models() -> list[str]:
    """The paid models that the calculation uses, by approach; the first one is what the others are compared with."""
    found: list[str] = st.session_state.setdefault(_DRAWN, [PAID_API])
    return found


def compare_models(approaches: Sequence[str]) -> None:
    """Reckon with these paid models from now on."""
    st.session_state[_DRAWN] = list(approaches)


AddedModels = dict[str, AddedModel]


def added_models() -> AddedModels:
    """The models that were picked from the price list or entered on this page, by approach."""
    found: AddedModels = st.session_state.setdefault(_ADDED, {})
    return found


def add_models(models: Sequence[AddedModel]) -> None:
    """Take models with their prices, and use them in the calculation."""
    added_models().update({one.approach: one for one in models})
    compare_models(list(dict.fromkeys([*compared_models(), *(one.approach for one in models)])))


def reset() -> None:
    """Back to what was measured, and to the labelled assumptions where nothing was."""
    changes().clear()


def inputs_in_force(current: Settings) -> Inputs:
    """What was measured, with what was typed in its place. Raises `BackendError` if the ledger cannot be read."""
    return current_inputs(current, changes(), billing() == RENTED, compared_models(), list(added_models().values()))


def set_value(name: str, value: Any, scale: int) -> None:
    """Take what was typed; an empty box goes back to what was measured. `scale`: 100 for percent."""
    if value is None:
        changes().pop(name, None)
    else:
        changes()[name] = Decimal(repr(value)) / scale
