"""Views of a base that carry an adapter: a second tree of modules, so that neither can answer for the other.

The base's own modules and tensors are never touched. A view is either *merged*: the weights that the adapter changes
are the view's own and all others are the base's, so it writes as fast as its base; or *beside*: every weight is the
base's and the adapter's small matrices are multiplied for each token, which costs no memory and about a third of the
speed (docs/measurements.md). Merged weights are kept for one adapter at a time and made again, in a fraction of a
second, when another one has had its turn.

All trees are made and looked up on the inference thread, which so serves as their lock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.errors import BackendError
from backends.models import adapter_files, inference
from backends.models.adapter_files import WEIGHTS, AdapterFiles, Base, Fit
from backends.models.adapter_weights import attach_with_peft, changed_bytes, changed_weights, with_weights
from backends.models.local import LocalModel
from backends.storage import process

SWITCH_S = 0.3
"""Seconds that merging an adapter is expected to take, reading its file included (docs/measurements.md)."""

NEVERTHELESS = "Its shapes fit: if this is its base under another name, set fine_tuned.any_base_name to true."
"""What one may do where nothing but the name of its base speaks against an adapter."""

_BESIDE_KEPT = 4
_SPARE_BYTES = 500_000_000  # what stays free for the answers themselves

_merged: dict[AdapterView, Any] = {}
_beside: OrderedDict[AdapterView, Any] = OrderedDict()
_views: dict[tuple[int, Path], AdapterView] = {}


@dataclass(frozen=True, eq=False)
class AdapterView:
    """An adapter over a base. `digest` is its file's sha256; `own_bytes` what it holds apart from the base's weights.

    `note` is what one should know of how it fits, such as a base that is named otherwise; "" if nothing.

    A view holds no weights itself, so keeping one costs nothing.
    """

    base: LocalModel
    files: AdapterFiles
    merged: bool
    own_bytes: int
    note: str = ""

    @property
    def name(self) -> str:
        """The adapter's name: its folder's."""
        return self.files.name

    @property
    def digest(self) -> str:
        """sha256 of the adapter's weights, in hexadecimal."""
        return self.files.sha256

    @property
    def card(self) -> dict[str, Any]:
        """What the card beside the adapter says."""
        return self.files.card

    @property
    def how(self) -> str:
        """How the adapter's weights reach the base's, in words."""
        size = f"{self.own_bytes / 1e6:.3g} MB"
        if not self.merged:
            return f"beside the base's weights ({size}), not merged"
        if self.files.method == "last_layers":
            return f"its own layers in place of the base's ({size})"
        return f"merged in float32, rounded once to {self.base.dtype}; {size} of its own"

    @property
    def model(self) -> Any:
        """The modules that answer. Raises `BackendError` if they have to be made again and the adapter is gone."""
        return inference.run(_tree, self)


def load_adapter(base: LocalModel, folder: Path, merge: bool = True, any_base_name: bool = False) -> AdapterView:
    """Put the adapter in `folder` over the base, merged where there is room for it and `merge` is true.

    `any_base_name` takes one whose base is named otherwise, if it fits. Cheap when it is the adapter that answered
    last. Raises `BackendError` for a missing, damaged or foreign adapter.
    """
    return inference.run(_load, base, folder, merge, any_base_name)


def is_ready(base: LocalModel, folder: Path, merge: bool = True) -> bool:
    """Whether `load_adapter` has nothing to do."""
    return inference.run(_is_ready, base, folder, merge)


def base_of(base: LocalModel) -> Base:
    """What an adapter has to fit, for `adapter_files.fit`."""
    shapes = {name: tuple(one.shape) for name, one in base.model.named_parameters(remove_duplicate=False)}
    return Base(base.weights.model_id, base.weights.folder, base.weights.revision, shapes)


def _is_ready(base: LocalModel, folder: Path, merge: bool) -> bool:
    view = _views.get((id(base.model), folder.resolve()))
    if view is None or not _serves(view, merge) or not (folder / WEIGHTS).is_file():
        return False
    return view.digest == adapter_files.file_digest(folder / WEIGHTS) and (view in _merged or view in _beside)


def _load(base: LocalModel, folder: Path, merge: bool, any_base_name: bool) -> AdapterView:
    key = (id(base.model), folder.resolve())
    files = adapter_files.read(folder)
    known = _views.get(key)
    found = adapter_files.fit(files, base_of(base), any_base_name)
    if not found.fits:
        raise _foreign(files, base, found)
    if known is None or known.files != files or known.note != found.reason or not _serves(known, merge):
        known = replace(_view(base, files, merge), note=found.reason)
        _forget(_views.pop(key, None))
        _tree(known)
        _views[key] = known
    else:
        _tree(known)
    return known


def _foreign(files: AdapterFiles, base: LocalModel, found: Fit) -> BackendError:
    step = "Choose an adapter of this base, or set raw.model to the adapter's base."
    if found.by_name_alone:
        step += f" {NEVERTHELESS}"
    return BackendError(f"The adapter {files.name} does not fit {base.weights.model_id}. {found.reason}", step)


def _serves(view: AdapterView, merge: bool) -> bool:
    """Whether the view is of the wanted kind. There is nothing of the last layers that could stay beside the base."""
    return merge or not view.merged or view.files.method == "last_layers"


def _view(base: LocalModel, files: AdapterFiles, merge: bool) -> AdapterView:
    if files.method == "last_layers":
        return AdapterView(base, files, True, changed_bytes(base, files))
    needed = changed_bytes(base, files)
    held = sum(view.own_bytes for view in _merged)  # makes room first
    if merge and needed + _SPARE_BYTES <= process.free_memory(base.device) + held:
        return AdapterView(base, files, True, needed)
    return AdapterView(base, files, False, files.size_bytes)


def _tree(view: AdapterView) -> Any:
    """On the inference thread: the view's modules, made if they are not there."""
    kept = _merged if view.merged else _beside
    if view in kept:
        if not view.merged:
            _beside.move_to_end(view)
        return kept[view]
    if view.merged:
        _merged.clear()
    elif len(_beside) >= _BESIDE_KEPT:
        _beside.popitem(last=False)
    made = (
        with_weights(view.base.model, changed_weights(view.base, view.files))
        if view.merged
        else attach_with_peft(view.base, view.files)
    )
    _check_unchanged(view.files)
    kept[view] = made
    return made


def _check_unchanged(files: AdapterFiles) -> None:
    """What was read is what was hashed: the file is still the same one."""
    weights = files.folder / WEIGHTS
    if not weights.is_file() or adapter_files.file_digest(weights) != files.sha256:
        raise BackendError(f"The adapter {files.name} has changed meanwhile.", "Ask again.")


def _forget(view: AdapterView | None) -> None:
    if view is not None:
        _merged.pop(view, None)
        _beside.pop(view, None)
