"""What this browser session assumes in place of what was measured; it survives a change of page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import streamlit as st

from backends.remote.connection_settings import PAID_API
from backends.settings import Settings
from evaluation.costs.current_inputs import current_inputs
from evaluation.costs.inputs import Inputs
from evaluation.costs.paid import ManualModel

_CHANGES = "cost_changes"
_BILLING = "cost_billing"
_DRAWN, _BY_HAND = "cost_paid_models", "cost_models_by_hand"

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


def manual_models() -> dict[str, ManualModel]:
    """The models whose price was entered on this page, by approach."""
    found: dict[str, ManualModel] = st.session_state.setdefault(_BY_HAND, {})
    return found


def add_manual_model(model: ManualModel) -> None:
    """Take a model with its price, and use it in the calculation."""
    manual_models()[model.approach] = model
    compare_models(list(dict.fromkeys([*compared_models(), model.approach])))


def reset() -> None:
    """Back to what was measured, and to the labelled assumptions where nothing was."""
    changes().clear()


def inputs_in_force(current: Settings) -> Inputs:
    """What was measured, with what was typed in its place. Raises `BackendError` if the ledger cannot be read."""
    return current_inputs(current, changes(), billing() == RENTED, compared_models(), list(manual_models().values()))


def set_value(name: str, value: Any, scale: int) -> None:
    """Take what was typed; an empty box goes back to what was measured. `scale`: 100 for percent."""
    if value is None:
        changes().pop(name, None)
    else:
        changes()[name] = Decimal(repr(value)) / scale
