"""Prices against the catalogue, machine rates, and what is said where nothing is known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.base import Cost, Usage
from backends.settings import OPENAI_URL, PaidApiSettings
from backends.spend.pricing import Rates, last_change, machine_cost, models, price, rates, source

SOURCE = source()


@pytest.mark.parametrize(
    ("model", "url", "usage", "usd"),
    [
        ("gpt-5-mini", OPENAI_URL, Usage(1000, 100), "0.00045"),
        ("gpt-5-mini", OPENAI_URL, Usage(1000, 100, 200, 0), "0.000405"),
        ("gpt-5-mini", OPENAI_URL, Usage(1000, 100, 200, 90), "0.000405"),
        ("gpt-4.1-mini", OPENAI_URL, Usage(1000, 100, 1000), "0.00026"),
        ("gpt-4o", OPENAI_URL, Usage(1000, 100), "0.0035"),
        ("gpt-4o-mini", OPENAI_URL, Usage(12, 3), "0.0000036"),
        ("claude-haiku-4-5", "https://api.anthropic.com/v1/", Usage(1000, 100, 400), "0.00114"),
        ("sonar-deep-research", "https://api.perplexity.ai", Usage(1000, 100), "0.0028"),
        ("sonar-deep-research", "https://api.perplexity.ai", Usage(1000, 100, None, 60), "0.0025"),  # 3 USD, not 8
        ("mistral-small-latest", "https://api.mistral.ai/v1", Usage(1000, 100), None),
        ("gpt-5-mini", OPENAI_URL, Usage(0, 0), "0"),
    ],
)
def test_the_price_is_the_catalogues(model: str, url: str, usage: Usage, usd: str | None) -> None:
    tokens = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    cost = price(usage, model, url)
    assert cost.usd == genai_prices.calc_price(tokens, model, provider_api_url=url).total_price
    if usd is not None:
        assert cost.usd == Decimal(usd)


def test_the_reckoning_is_told() -> None:
    cost = price(Usage(1000, 100, 200, 0, "server"), "gpt-5-mini", OPENAI_URL)
    assert cost.basis == (
        "800 tokens in at 0.25, 200 cached at 0.025, 100 out at 2 USD per million; "
        f"OpenAI gpt-5-mini, list price, {SOURCE}"
    )


def test_the_source_has_the_date_of_its_last_change_in_force() -> None:
    assert source().startswith(f"genai-prices {genai_prices.__version__}, changes up to 20")
    assert str(last_change(date(2026, 11, 8))) == "2026-11-06"
    assert str(last_change(date(2026, 11, 9))) == "2026-11-09"
    assert last_change(date(2020, 1, 1)) == "an unknown date"


def test_a_long_prompt_is_told_at_the_price_of_its_tier() -> None:
    cost = price(Usage(300_000, 100), "gpt-5.4", OPENAI_URL)
    tokens = genai_prices.Usage(input_tokens=300_000, output_tokens=100)
    found = genai_prices.calc_price(tokens, "gpt-5.4", provider_id="openai")
    assert cost.usd == found.total_price
    per_million = found.input_price / 300_000 * 1_000_000
    assert cost.basis.startswith(f"300,000 tokens in at {per_million.normalize()}, 100 out at ")


def test_a_dated_name_is_priced_as_its_model_and_a_dated_price_says_since_when() -> None:
    assert "OpenAI gpt-5-mini-2025-08-07 (priced as gpt-5-mini), list price" in _basis("gpt-5-mini-2025-08-07")
    assert "list price since 2026-07-30, " in _basis("gpt-5.6-luna")


def _basis(model: str) -> str:
    return price(Usage(10, 10), model, OPENAI_URL).basis


@pytest.mark.parametrize(
    ("usage", "model", "url", "basis"),
    [
        (Usage(10, 10), "nonesuch", OPENAI_URL, f"no price is known for nonesuch at api.openai.com ({SOURCE})"),
        (Usage(10, 10), "gpt-5-mini", "http://localhost:8000/v1", "no price is known for gpt-5-mini at localhost"),
        (Usage(10, 10), "gpt-5-mini", "http://[::1/v1", "no price is known for gpt-5-mini at this server"),
        (Usage(None, 10), "gpt-5-mini", OPENAI_URL, "the server did not report token counts"),
        (Usage(10, None), "gpt-5-mini", OPENAI_URL, "the server did not report token counts"),
        (Usage(), "gpt-5-mini", OPENAI_URL, "the server did not report token counts"),
        (Usage(10, 10, 20), "gpt-5-mini", OPENAI_URL, "the token counts contradict each other"),
    ],
)
def test_unknown_is_none_with_a_reason_and_never_zero(usage: Usage, model: str, url: str, basis: str) -> None:
    cost = price(usage, model, url)
    assert cost.usd is None
    assert cost.basis.startswith(basis)


@settings(deadline=None)
@given(st.integers(0, 10**7), st.integers(0, 10**7), st.sampled_from(["gpt-5-mini", "gpt-4.1", "o3", "gpt-5.4"]))
def test_more_tokens_never_cost_less(prompt: int, completion: int, model: str) -> None:
    less, more = (
        price(Usage(prompt, completion), model, OPENAI_URL),
        price(Usage(prompt, completion + 1), model, OPENAI_URL),
    )
    assert less.usd is not None
    assert more.usd is not None
    assert 0 <= less.usd < more.usd


def test_the_cost_of_machine_time() -> None:
    assert machine_cost(2.31, Decimal("0.10")) == Cost(
        Decimal("0.0000641667"), "2.31 s × 0.10 USD/hour (machine rate, assumed)"
    )
    hour = machine_cost(3600, Decimal("0.10"))
    assert (hour.usd, hour.basis[:8]) == (Decimal("0.10"), "3,600 s ")
    assert machine_cost(0.001, Decimal("0.001")).usd == Decimal("2.77778E-10")
    assert machine_cost(5, Decimal(0)).usd == 0


def test_training_is_spread_over_answers() -> None:
    assert machine_cost(3.6, Decimal("0.10"), Decimal("0.02"), 10_000) == Cost(
        Decimal("0.000102"),
        "3.6 s × 0.10 USD/hour (machine rate, assumed) + 0.02 USD of training ÷ 10,000 answers",
    )


def test_what_was_not_timed_has_no_cost() -> None:
    assert machine_cost(None, Decimal("0.10")).usd is None


def test_the_model_picker_offers_priced_chat_models_and_the_default() -> None:
    names = models("openai")
    assert PaidApiSettings().model in names
    assert {"gpt-4.1", "gpt-4.1-mini", "gpt-4o-mini", "gpt-5"} <= set(names)
    unwanted = ("audio", "image", "realtime", "embedding", "whisper", "tts", "instruct", "search", "-pro", "moderation")
    assert not [name for name in names if any(word in name for word in unwanted)]
    costs = [price(Usage(0, 10**6), name, OPENAI_URL).usd for name in names]
    assert costs == sorted(costs)  # type: ignore[type-var]
    assert models("anthropic")
    assert models("nonesuch") == []


def test_rates_are_what_a_million_tokens_cost() -> None:
    found = rates("gpt-5-mini", OPENAI_URL)
    assert found == Rates(Decimal("0.25"), Decimal("0.025"), Decimal(2), f"OpenAI gpt-5-mini, list price, {SOURCE}")
    assert price(Usage(10**6, 0), "gpt-5-mini", OPENAI_URL).usd == found.input_mtok
    assert price(Usage(0, 10**6), "gpt-5-mini", OPENAI_URL).usd == found.output_mtok


def test_rates_of_long_prompts_are_those_of_their_tier() -> None:
    assert rates("gpt-5.4", OPENAI_URL, 300_000).input_mtok > rates("gpt-5.4", OPENAI_URL).input_mtok


@pytest.mark.parametrize("length", [271_999, 272_000, 272_001])
def test_the_price_is_that_of_the_rates_also_where_a_tier_begins(length: int) -> None:
    found, cost = rates("gpt-5.4", OPENAI_URL, length), price(Usage(length, 100), "gpt-5.4", OPENAI_URL)
    assert cost.usd == (length * found.input_mtok + 100 * found.output_mtok) / 1_000_000
    assert cost.basis.startswith(f"{length:,} tokens in at {found.input_mtok}, 100 out at {found.output_mtok} USD")


@pytest.mark.parametrize(
    ("model", "url", "where"),
    [("nonesuch", OPENAI_URL, "api.openai.com"), ("gpt-5-mini", "http://localhost:8000/v1", "localhost")],
)
def test_rates_that_are_not_known_are_said_to_be(model: str, url: str, where: str) -> None:
    with pytest.raises(LookupError, match=f"no price per token is known for {model} at {where}"):
        rates(model, url)


CATALOGUE = {
    OPENAI_URL: "openai",
    "https://api.anthropic.com/v1/": "anthropic",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.deepseek.com": "deepseek",
}
CHAT_MODELS = [(model, url) for url, provider in CATALOGUE.items() for model in models(provider)]


def test_there_are_enough_models_to_compare() -> None:
    assert len({model for model, _ in CHAT_MODELS}) >= 20
    assert len({url for _, url in CHAT_MODELS}) == len(CATALOGUE)


@pytest.mark.parametrize(("model", "url"), CHAT_MODELS)
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2_000_000), st.integers(0, 200_000), st.data())
def test_every_listed_model_costs_what_the_catalogue_says(
    model: str, url: str, prompt: int, completion: int, data: st.DataObject
) -> None:
    cached = data.draw(st.none() | st.integers(0, prompt))
    reasoning = data.draw(st.none() | st.integers(0, completion))
    tokens = genai_prices.Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read_tokens=cached,
        output_reasoning_tokens=reasoning,
    )
    expected = genai_prices.calc_price(tokens, model, provider_api_url=url).total_price
    assert price(Usage(prompt, completion, cached, reasoning), model, url).usd == expected
    if not cached and prompt <= 100_000:
        listed = rates(model, url, prompt)
        assert (prompt * listed.input_mtok + completion * listed.output_mtok) / 10**6 == expected


def test_the_basis_adds_up_where_reasoning_has_a_price_of_its_own() -> None:
    cost = price(Usage(1000, 100, None, 60), "sonar-deep-research", "https://api.perplexity.ai")
    assert "1,000 tokens in at 2, 60 of reasoning at 3, 40 out at 8 USD per million" in cost.basis
    assert cost.usd == (1000 * 2 + 60 * 3 + 40 * 8) / Decimal(1_000_000)
