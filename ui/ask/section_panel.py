"""The widgets of an approach that brings settings and no panel of its own: one for each field, by its type."""

from __future__ import annotations

import types
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ui.ask.settings_panel import bind
from ui.shared.text import escaped, plain


def section_panel(name: str, section: BaseModel) -> None:
    """Draw the fields of `section`, which is the settings section called `name`, with their limits and descriptions.

    A field of another type than text, number, switch, choice or key is named, with how it is set on the terminal.
    """
    for field, info in type(section).model_fields.items():
        _field(f"{name}.{field}", info, getattr(section, field))


def _field(name: str, info: FieldInfo, value: Any) -> None:
    label = plain(info.title or name.rpartition(".")[2].replace("_", " ").capitalize())
    shared: dict[str, Any] = {"help": escaped(info.description) if info.description else None, **bind(name)}
    kind = _without_none(info.annotation)
    if kind is bool:
        st.toggle(label, value, **shared)
    elif get_origin(kind) is Literal:
        options = get_args(kind)
        st.selectbox(label, options, options.index(value) if value in options else None, **shared)
    elif kind is int:
        st.number_input(label, *_limits(info, int), value, 1, **shared)
    elif kind in (float, Decimal):
        st.number_input(label, *_limits(info, float), None if value is None else float(value), format="%g", **shared)
    elif kind is SecretStr:
        st.text_input(label, type="password", autocomplete="off", **shared)
    elif kind is str:
        st.text_input(label, value or "", **shared)
    else:
        st.caption(escaped(f"{label}: set it with --set {name}=VALUE."))


def _without_none(kind: Any) -> Any:
    """`int` for `int | None`; any other type as it is."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [one for one in get_args(kind) if one is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _limits(info: FieldInfo, number: type[int] | type[float]) -> tuple[Any, Any]:
    """The least and the greatest value that is allowed; None where there is no such limit."""
    limits: Mapping[str, Any] = {
        side: getattr(limit, side) for limit in info.metadata for side in ("ge", "le") if hasattr(limit, side)
    }
    return tuple(number(limits[side]) if side in limits else None for side in ("ge", "le"))  # type: ignore[return-value]
