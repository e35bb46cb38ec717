"""What is to be trained and how: a few choices in sight, the others explained, an estimate, and the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from backends.fine_tuned.adapters.catalogue import adapter_folders, free_name
from backends.fine_tuned.train.method import Method, Precision, TrainingSettings, usual_epochs
from backends.fine_tuned.train.precision import load_choice
from backends.models.local import loaded
from backends.settings import Settings
from evaluation.reading import READING_EPOCHS
from ui.fine_tuned.split_choice import SEED, split_in_force
from ui.shared.text import escaped, plain

_NAME, _GIVEN = "train_name", "train_name_given"
OVER_EVERYTHING = "train_over_everything"

_WORDS: dict[Method, str] = {"lora": "LoRA", "last_layers": "Last layers"}
_EXPLAINED: dict[Method, str] = {
    "lora": "Small matrices beside the linear layers learn; the base stays as it is. A few megabytes.",
    "last_layers": "Only the final blocks and the head are updated, as transfer learning does in vision.",
}
_CELL = 250  # pixels at least
_USUAL = TrainingSettings()
_USUAL_EPOCHS = "usual_epochs"


def training_form(current: Settings, source: str, count: int, reads: bool = False) -> tuple[str, TrainingSettings]:
    """Draw the choices; the adapter's name, and the settings. `source` is where the `count` pairs are from.

    `reads`: examples of reading are trained on, which are long and need fewer epochs. Reading is a skill, so whole
    groups of questions are held out, and nothing is gone over once more.
    """
    _keep_epochs(count)
    st.session_state.setdefault("reading_epochs", READING_EPOCHS)
    _keep_name(current, source, reads)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name of the adapter", key=_NAME, max_chars=64, width=260, persist_state="session")
        st.segmented_control(
            "Method",
            list(_WORDS),
            default=_USUAL.method,
            format_func=_WORDS.__getitem__,
            required=True,
            key="train_method",
            persist_state="session",
        )
        epochs = "reading_epochs" if reads else "train_epochs"
        st.number_input("Epochs", 1, 1000, key=epochs, width=130, persist_state="session")
        method = cast(Method, st.session_state["train_method"] or _USUAL.method)
        if method == "lora":
            st.number_input("Rank", 1, 512, _USUAL.rank, key="train_rank", width=130, persist_state="session")
            st.number_input("Alpha", 1, 4096, _USUAL.alpha, key="train_alpha", width=130, persist_state="session")
        else:
            st.number_input("Blocks", 1, 1000, _USUAL.layers, key="train_layers", width=130, persist_state="session")
    st.caption(_EXPLAINED[method])
    name = st.session_state[_NAME].strip()
    if name in adapter_folders(current.data):
        st.caption(
            f":material/info: There is an adapter called {escaped(name)} already. It is put into the trash, from which "
            "it can be restored, once this one is trained."
        )
    with st.expander("More settings, each with what it does"):
        _more(current, method)
    chosen = chosen_settings(current)
    if reads:
        chosen = replace(chosen, epochs=st.session_state["reading_epochs"], split_by="group", last_pass=False)
    return name, chosen


def _keep_epochs(count: int) -> None:
    """As many as so many pairs usually need, unless somebody chose otherwise."""
    usual = usual_epochs(count)
    if st.session_state.get("train_epochs") in (None, st.session_state.get(_USUAL_EPOCHS)):
        st.session_state["train_epochs"] = usual
    st.session_state[_USUAL_EPOCHS] = usual


def _keep_name(current: Settings, source: str, reads: bool) -> None:
    """A free name, until the user writes another one."""
    if st.session_state.get(_NAME) in (None, "", st.session_state.get(_GIVEN)):
        stem = (source.rpartition(".")[0] or source.lower()) + ("-reader" if reads else "")
        st.session_state[_NAME] = st.session_state[_GIVEN] = free_name(stem, current.data)


def _more(current: Settings, method: Method) -> None:
    with st.grid(3, min_column_width=_CELL):
        _how_it_learns(current, method)
        _how_it_runs(current)


def _how_it_learns(current: Settings, method: Method) -> None:
    if method == "lora":
        _explained(
            st.multiselect,
            "Where",
            "The linear layers beside which matrices learn. None named: every one of the blocks.",
            options=linear_layers(current),
            format_func=plain,
            key="train_targets",
            accept_new_options=True,
            placeholder="every linear layer",
        )
    _explained(
        st.number_input,
        "Learning rate",
        "How far each step goes. Left empty: what measured best for the method. Lower it if the loss jumps.",
        min_value=1e-6,
        max_value=1.0,
        value=None,
        format="%g",
        key="train_rate",
        placeholder="measured default",
    )
    _explained(
        st.number_input,
        "Batch, pairs",
        "Pairs that one pass takes. More is faster until memory runs out; it is halved by itself if it does.",
        min_value=1,
        max_value=1024,
        value=_USUAL.batch,
        key="train_batch",
    )
    _explained(
        st.number_input,
        "Passes per step",
        "Passes whose gradients are added before a step: the effect of a larger batch without its memory.",
        min_value=1,
        max_value=1024,
        value=_USUAL.accumulate,
        key="train_accumulate",
    )
    _explained(
        st.number_input,
        "Warm-up, share of the steps",
        "The learning rate rises over this part and then falls as a cosine, so that the start breaks nothing.",
        min_value=0.0,
        max_value=1.0,
        value=_USUAL.warmup,
        step=0.05,
        key="train_warmup",
    )


def _how_it_runs(current: Settings) -> None:
    _explained(
        st.selectbox,
        "Precision",
        "auto: whichever trains faster on this machine, measured before the first training and at each estimate."
        + measured_precision(current),
        options=("auto", "float32", "bfloat16"),
        key="train_precision",
    )
    _explained(
        st.number_input,
        "Answer the questions every (steps)",
        "How often three held-out questions are answered and the held-out loss is measured.",
        min_value=0,
        max_value=100_000,
        value=None,
        key="train_answers",
        placeholder="five or six times in all",
    )
    _explained(
        st.number_input,
        "Seed",
        "The same seed and pairs give the same split, order and adapter.",
        min_value=0,
        max_value=2**32 - 1,
        value=current.seed,
        key=SEED,
    )


def measured_precision(current: Settings) -> str:
    """What `auto` takes here, once the base is in memory and it was measured; else ""."""
    raw = current.raw
    base = loaded(raw.model, raw.revision, raw.device)
    choice = base and load_choice(base, chosen_settings(current), current.data)
    return f" Here it takes {choice}." if choice else ""


def _explained(widget: Callable[..., Any], label: str, why: str, **options: Any) -> None:
    with st.container():
        widget(label, persist_state="session", **options)
        st.caption(why)


def chosen_settings(current: Settings) -> TrainingSettings:
    """The settings as they were chosen; what was never drawn has its default."""
    split = split_in_force(current)
    return TrainingSettings(
        method=_get("train_method", _USUAL.method),
        rank=_get("train_rank", _USUAL.rank),
        alpha=_get("train_alpha", _USUAL.alpha),
        target_modules=tuple(_get("train_targets", ())),
        layers=_get("train_layers", _USUAL.layers),
        epochs=_get("train_epochs", _USUAL.epochs),
        batch=_get("train_batch", _USUAL.batch),
        accumulate=_get("train_accumulate", _USUAL.accumulate),
        learning_rate=st.session_state.get("train_rate"),
        warmup=_get("train_warmup", _USUAL.warmup),
        seed=split.seed,
        precision=cast(Precision, _get("train_precision", _USUAL.precision)),
        answers_every=st.session_state.get("train_answers"),
        held_out_share=split.share,
        split_by=split.by,
        last_pass=bool(st.session_state.get(OVER_EVERYTHING)),
    )


def _get(key: str, usual: Any) -> Any:
    value = st.session_state.get(key)
    return usual if value is None else value


def linear_layers(current: Settings) -> Sequence[str]:
    """Names of the linear layers in the base's blocks, once it is in memory."""
    raw = current.raw
    base = loaded(raw.model, raw.revision, raw.device)
    if base is None:
        return ()
    found = {
        name.rpartition(".")[2]: None
        for name, module in base.model.named_modules()
        if type(module).__name__ == "Linear" and ".layers." in name
    }
    return tuple(found)
