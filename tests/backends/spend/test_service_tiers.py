"""Service tiers that a server names: their own price where the list has one, else unknown. Never the usual price."""

from __future__ import annotations

import threading
from decimal import Decimal

import genai_prices
import pytest
from pytest_httpserver import HTTPServer

from backends.base import Answer, Question, Usage
from backends.paid_api import PaidApiBackend
from backends.remote.connection_settings import ManualPrice
from backends.remote.usage import UNREADABLE_TIER, reported_tier
from backends.run.compare import compare
from backends.settings import OPENAI_URL, load_settings
from backends.spend.pricing import manual_price, models, possible_tiers, price, rates, source
from tests.backends.openai_server import KEY, PATH, STOP, USAGE, sse, text_chunk

TOKENS = (1000, 100, 200, 50, "server")
BY_HAND = {"input_usd": "1", "output_usd": "2", "date": "2026-11-01"}
TIERED = [(model, tier) for model in models("openai") for tier in possible_tiers(model, OPENAI_URL)]


def test_the_list_knows_tiers_to_compare() -> None:
    assert {tier for _, tier in TIERED} == {"flex", "priority", "fast"}
    assert len({model for model, _ in TIERED}) >= 10


@pytest.mark.parametrize(("model", "tier"), [*TIERED, ("gpt-5-mini", "batch"), ("claude-haiku-4-5", "batch")])
def test_a_tier_costs_what_the_list_says_and_not_the_usual_price(model: str, tier: str) -> None:
    url = "https://api.anthropic.com/v1/" if model.startswith("claude") else OPENAI_URL
    tokens = genai_prices.Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=200, output_reasoning_tokens=50)
    context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier}
    expected = genai_prices.calc_price(tokens, model, provider_api_url=url, price_context=context).total_price
    cost, usual = price(Usage(*TOKENS, tier), model, url), price(Usage(*TOKENS), model, url)
    assert cost.usd == expected
    assert usual.usd is not None
    assert (cost.usd > usual.usd) is (tier in ("priority", "fast"))
    assert f"list price in the {tier} tier" in cost.basis


def test_the_reckoning_of_a_tier_has_its_rates_and_its_date() -> None:
    assert price(Usage(*TOKENS, "flex"), "gpt-5-mini", OPENAI_URL).basis == (
        "800 tokens in at 0.125, 200 cached at 0.0125, 100 out at 1 USD per million; "
        f"OpenAI gpt-5-mini, list price in the flex tier since 2026-10-12, {source()}"
    )


@pytest.mark.parametrize("tier", ["default", "standard", "on_demand", "auto", None])
def test_the_usual_tier_has_the_usual_price(tier: str | None) -> None:
    assert price(Usage(*TOKENS, tier), "gpt-5-mini", OPENAI_URL) == price(Usage(*TOKENS), "gpt-5-mini", OPENAI_URL)


@pytest.mark.parametrize(
    ("model", "url", "tier"),
    [
        ("gpt-4o-mini", OPENAI_URL, "flex"),
        ("gpt-5-mini", OPENAI_URL, "scale"),
        ("gpt-5-mini", OPENAI_URL, UNREADABLE_TIER),
        ("mistral-small-2506", "https://api.mistral.ai/v1", "priority"),
    ],
)
def test_a_tier_without_a_price_has_an_unknown_cost(model: str, url: str, tier: str) -> None:
    assert price(Usage(*TOKENS), model, url).usd is not None
    cost = price(Usage(*TOKENS, tier), model, url)
    assert cost.usd is None
    assert cost.basis.startswith(
        f"the server says that it served this in its {tier} tier, and no price of that is known"
    )


def test_a_price_entered_by_hand_holds_for_its_tier_alone() -> None:
    usual, flex = ManualPrice(**BY_HAND), ManualPrice(**BY_HAND, service_tier="flex")
    assert manual_price(Usage(*TOKENS, "default"), usual, "m").usd == Decimal("0.0012")
    assert manual_price(Usage(*TOKENS, "flex"), flex, "m").usd == Decimal("0.0012")
    for usage, prices, said in (
        (
            Usage(*TOKENS, "flex"),
            usual,
            "in its flex tier, and the price entered by hand for m is that of the usual tier",
        ),
        (Usage(*TOKENS), flex, "in its usual tier, and the price entered by hand for m is that of the flex tier"),
    ):
        cost = manual_price(usage, prices, "m")
        assert cost.usd is None
        assert said in cost.basis


def test_the_worst_case_is_the_dearest_tier_that_the_server_may_choose() -> None:
    backend = PaidApiBackend(load_settings({"paid_api.model": "gpt-5-mini"}))
    at_most = backend.max_attempt_usd((), Question("", max_tokens=1_000_000))
    assert (
        at_most
        == rates("gpt-5-mini", OPENAI_URL, tier="priority").output_mtok
        > rates("gpt-5-mini", OPENAI_URL).output_mtok
    )


@pytest.mark.parametrize(
    ("raw", "tier"),
    [
        ("flex", "flex"),
        (" Priority ", "priority"),
        (None, None),
        ("", None),
        (3, UNREADABLE_TIER),
        ("x" * 33, UNREADABLE_TIER),
        (KEY, UNREADABLE_TIER),
    ],
)
def test_what_a_server_says_of_its_tier(raw: object, tier: str | None) -> None:
    assert reported_tier(raw, lambda text: text.replace(KEY, "[key]")) == tier


@pytest.mark.parametrize(
    "chunks",
    [
        ({**text_chunk("Paris"), "service_tier": "flex"}, {**STOP, "service_tier": "flex"}, USAGE),
        (text_chunk("Paris"), STOP, {"choices": [], "usage": USAGE["usage"] | {"service_tier": "flex"}}),  # type: ignore[operator]
    ],
    ids=["of the chunks", "of the usage"],
)
def test_the_tier_of_an_answer_is_told_and_priced(httpserver: HTTPServer, chunks: tuple[object, ...]) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks))
    given = {"base_url": httpserver.url_for("/v1"), "model": "m"} | {f"price.{k}": v for k, v in BY_HAND.items()}
    backend = PaidApiBackend(load_settings({f"paid_api.{name}": value for name, value in given.items()}))
    events = compare([backend], Question("Capital?"), threading.Event())
    (answer,) = [event for _, event in events if isinstance(event, Answer)]
    assert (answer.status, answer.usage.service_tier, answer.cost.usd) == ("ok", "flex", None)
    assert "in its flex tier" in answer.cost.basis
