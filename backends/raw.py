"""Approach 1: the base model as it is on the Hub."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

from backends.base import Backend, BackendEvent, Cost, Loading, Question, Timings, Trace, Usage
from backends.models import generate as engine
from backends.models.local import LocalModel, base_label, base_of, load_base, weights_identity
from backends.registry import ApproachSpec
from backends.run.lane import THIS_MACHINE
from backends.settings import Settings
from backends.spend.pricing import machine_cost


class RawBackend(Backend):
    """Asks a causal language model from the Hub, a local folder, or the installed weights package."""

    approach = "raw"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lane = THIS_MACHINE

    @property
    def base(self) -> LocalModel:
        """The weights in memory. Raises `BackendError` before `load`."""
        return base_of(self.settings)

    @property
    def parameters(self) -> int | None:
        return self.base.parameters

    @property
    def model(self) -> str:
        return base_label(self.settings)

    @property
    def identity(self) -> Mapping[str, str]:
        return weights_identity(self.settings)

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        yield from load_base(self.settings)

    def fits(self, question: Question) -> bool | None:
        return engine.fits(self.base, question)

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        yield Trace("weights", self.base.description)
        yield from engine.generate(self.base, self.base.model, question, cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return machine_cost(timings.latency_s, self.settings.machine_usd_per_hour)


SPEC = ApproachSpec(
    id="raw",
    name="Raw model",
    make="backends.raw:RawBackend",
    subject="the raw model",
    panel="ui.ask.settings_panel:raw",
    warm_up=True,
    writes=True,
    what=(
        "A language model from the Hub, exactly as published. It knows what was in its training data and "
        "nothing about your company."
    ),
    use_when=(
        "for general language work (rephrasing, summarising, drafting), as the baseline to beat, and where "
        "data must not leave the machine."
    ),
    avoid_when="when answers need facts that are yours or recent: it will invent them, and sound sure.",
    icon=":material/deployed_code:",
    colour="blue",
    hex="#2f6fde",
)
