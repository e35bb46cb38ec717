"""Where a setting comes from, what is refused, and where a key may not go."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Question
from backends.errors import BackendError
from backends.remote import connections
from backends.remote.connection_settings import Section
from backends.remote.providers import OPENAI_URL
from backends.settings import RagSettings, Settings, load_settings, setting_names, started_with

KEY = "key-0123456789-secret"


@pytest.fixture(autouse=True)
def _only_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSROADS_DATA")


def test_defaults() -> None:
    settings = load_settings()
    assert settings.data == Path("data")
    assert settings.raw.model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (settings.temperature, settings.seed, settings.scripted) == (0.0, 0, False)
    assert (settings.rag.collection, settings.rag.generator) == ("handbook", "raw")
    assert settings.machine_usd_per_hour == Decimal("0.10")
    assert (settings.openai_api_key, settings.paid_api.api_key, settings.paid_api.base_url) == (None, None, None)


def test_the_environment_goes_over_defaults_and_overrides_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_MAX_TOKENS", "33")
    monkeypatch.setenv("CROSSROADS_RAG__K", "7")
    monkeypatch.setenv("CROSSROADS_RAG__COLLECTION", "from-environment")
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", "environment/model")
    settings = load_settings({"rag.k": "9", "temperature": "0.5"})
    assert (settings.max_tokens, settings.raw.model) == (33, "environment/model")
    assert (settings.rag.k, settings.rag.collection, settings.rag.min_score) == (
        9,
        "from-environment",
        RagSettings().min_score,
    )
    assert settings.temperature == 0.5


def test_several_names_are_parted_by_semicolons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__DOCUMENTS", "a, b.pdf; [c].txt ;")
    assert load_settings().rag.documents == ("a, b.pdf", "[c].txt")
    assert load_settings({"rag.documents": ["d; e.txt"], "rag.formats": "pdf"}).rag.documents == ("d; e.txt",)
    assert load_settings({"rag.documents": ()}).rag == RagSettings()


def test_a_dot_env_file_lies_between_defaults_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CROSSROADS_SEED=4\nCROSSROADS_RAG__K=5\nOPENAI_API_KEY=from-file\nUNRELATED=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.setenv("CROSSROADS_RAG__K", "6")
    settings = load_settings()
    assert (settings.seed, settings.rag.k) == (4, 6)
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "from-file"


def test_the_question_carries_the_generation_settings() -> None:
    settings = load_settings({"system_prompt": "Be brief.", "max_tokens": 5, "temperature": 0.25, "seed": 8})
    assert settings.question("q") == Question("q", "Be brief.", 5, 0.25, 8)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_token", "Did you mean max_tokens?"),
        ("rag.kk", "Did you mean rag.k?"),
        ("paid_api.baseurl", "Did you mean paid_api.base_url?"),
        ("RAW.MODEL", None),
        ("", None),
        ("zzz", None),
        ("raw", None),
        ("openai_api_key", None),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(name: str, hint: str | None) -> None:
    with pytest.raises(BackendError) as refused:
        load_settings({name: "1"})
    assert refused.value.cause == f"There is no setting called {name!r}."
    if hint:
        assert refused.value.next_step == hint
    else:
        assert refused.value.next_step.startswith(("Did you mean ", "The names are: data, scripted, system_prompt, "))


def test_every_name_that_can_be_set() -> None:
    names = setting_names()
    assert len(names) == len(set(names))
    assert {"max_tokens", "temperature", "system_prompt", "raw.model", "fine_tuned.adapter"} <= set(names)
    assert {"paid_api.model", "paid_api.base_url", "rag.collection", "rag.k"} <= set(names)
    assert not [name for name in names if name.startswith("openai")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", "0"),
        ("max_tokens", "many"),
        ("max_tokens", "1.5"),
        ("temperature", "-0.1"),
        ("temperature", "2.1"),
        ("temperature", "nan"),
        ("rag.k", "0"),
        ("rag.generator", "rag"),
        ("raw.device", "tpu"),
        ("machine_usd_per_hour", "-1"),
        ("machine_usd_per_hour", "NaN"),
        ("machine_usd_per_hour", "Infinity"),
        ("paid_api.deadline_s", "0"),
        ("scripted", "perhaps"),
    ],
)
def test_a_refused_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BackendError) as refused:
        load_settings({name: value})
    assert refused.value.cause.startswith(f"The setting {name} was refused: ")
    assert refused.value.next_step == "Give it another value."


def test_a_refused_value_from_the_environment_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__K", "few")
    with pytest.raises(BackendError, match=r"^The setting rag\.k was refused: "):
        load_settings()


def test_a_section_that_is_no_section_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAW", "gpt2")
    with pytest.raises(BackendError, match="raw"):
        load_settings()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rag.chroma_headers": '{"x-token": "abc", "x-tenant": "a"}'},
        {"paid_api.base_url": "http://127.0.0.1:9/v1", "paid_api.headers": '{"x-token": "abc"}'},
    ],
    ids=["defaults", "headers for Chroma", "headers for a connection"],
)
def test_every_section_is_a_key_of_what_is_kept_for_it(given: dict[str, object]) -> None:
    one, same = load_settings(given), load_settings(given)
    sections = [(value, getattr(same, name)) for name, value in one if isinstance(value, Section)]
    assert len(sections) >= 5
    assert all(first == second and len({first, second}) == 1 for first, second in sections)


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.max_tokens = 1
    with pytest.raises(ValueError, match="frozen"):
        settings.rag.k = 1


def key_of(settings: Settings) -> str | None:
    return settings.paid_api.api_key.get_secret_value() if settings.paid_api.api_key else None


def test_a_key_stays_with_the_address_it_was_configured_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    assert key_of(load_settings()) == KEY
    assert key_of(load_settings({"paid_api.base_url": "https://gateway.example/v1"})) == KEY
    assert key_of(load_settings({"paid_api.model": "another"})) == KEY
    assert key_of(load_settings({"paid_api.base_url": "https://other.example/v1"})) is None


def test_a_key_without_an_address_does_not_go_to_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    assert key_of(load_settings({"paid_api.base_url": "https://other.example/v1"})) is None


def test_a_key_given_together_with_the_address_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", "another-key")
    settings = load_settings({"paid_api.base_url": "https://other.example/v1", "paid_api.api_key": KEY})
    assert key_of(settings) == KEY


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    settings = load_settings()
    for shown in (
        repr(settings),
        str(settings),
        f"{settings.paid_api}",
        settings.model_dump_json(),
        str(settings.model_dump()),
    ):
        assert KEY not in shown
    with pytest.raises(BackendError) as refused:
        load_settings({"paid_api.api_key": KEY, "paid_api.max_retries": KEY})
    assert KEY not in str(refused.value)


OTHER_KEY = "key-of-the-file-9876"
A, X = "https://a.example/v1", "https://x.example/v1"


@pytest.fixture
def env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Writes the `.env` of the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")

    def write(**values: str) -> None:
        lines = (f"{name}={value}" for name, value in values.items())
        (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")

    return write


def sent(settings: Settings, name: str = "") -> tuple[str, str]:
    """Where a connection goes and with which key."""
    found = connections.resolved(settings, name)
    return found.base_url, found.key


def test_an_address_in_an_env_file_does_not_get_the_exported_key(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[..., None]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert sent(load_settings()) == (OPENAI_URL, KEY)
    env_file(OPENAI_BASE_URL=X)
    settings = load_settings()
    assert sent(settings) == (X, "")
    assert settings.withheld("paid_api") == (
        "The key in the environment is not sent to https://x.example/v1, the address in the .env file: what is secret "
        "only goes to the address that the same source configures. Give both in the same place."
    )
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("file", "exported", "overrides", "expected"),
    [
        ({}, {"OPENAI_API_KEY": KEY}, {}, (OPENAI_URL, KEY)),
        ({"OPENAI_API_KEY": KEY}, {}, {}, (OPENAI_URL, KEY)),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": A}, {}, {}, (A, KEY)),
        ({}, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": A}, {}, (A, KEY)),
        ({"OPENAI_API_KEY": OTHER_KEY}, {"OPENAI_API_KEY": KEY}, {}, (OPENAI_URL, KEY)),
        ({"OPENAI_API_KEY": OTHER_KEY, "OPENAI_BASE_URL": X}, {"OPENAI_API_KEY": KEY}, {}, (X, OTHER_KEY)),
        ({"OPENAI_API_KEY": OTHER_KEY}, {"OPENAI_BASE_URL": A}, {}, (A, "")),
        ({"OPENAI_BASE_URL": A}, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": A}, {}, (A, KEY)),
        ({"CROSSROADS_PAID_API__BASE_URL": X}, {"OPENAI_API_KEY": KEY}, {}, (X, "")),
        ({"CROSSROADS_PAID_API__BASE_URL": X}, {"CROSSROADS_PAID_API__API_KEY": KEY}, {}, (X, "")),
        ({"CROSSROADS_PAID_API__BASE_URL": X}, {}, {"paid_api.api_key": KEY}, (X, "")),
        ({"OPENAI_BASE_URL": X}, {}, {"paid_api.api_key": KEY}, (X, "")),
        ({}, {"OPENAI_BASE_URL": A}, {"paid_api.api_key": KEY}, (A, "")),
        ({}, {}, {"paid_api.api_key": KEY}, (OPENAI_URL, KEY)),
        ({}, {"OPENAI_API_KEY": KEY}, {"paid_api.base_url": X}, (X, "")),
        (
            {},
            {"CROSSROADS_PAID_API__PROVIDER": "groq"},
            {"paid_api.api_key": KEY},
            ("https://api.groq.com/openai/v1", ""),
        ),
    ],
)
def test_a_key_only_goes_to_the_address_of_its_own_source(
    monkeypatch: pytest.MonkeyPatch,
    env_file: Callable[..., None],
    file: dict[str, str],
    exported: dict[str, str],
    overrides: dict[str, str],
    expected: tuple[str, str],
) -> None:
    env_file(**file)
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    assert sent(load_settings(overrides)) == expected


def test_a_named_connection_of_an_env_file_gets_nothing_secret_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[..., None]
) -> None:
    one = "CROSSROADS_CONNECTIONS__ONE__"
    env_file(**{f"{one}BASE_URL": X, f"{one}MODEL": "m", f"{one}KEY_VARIABLE": "OPENAI_API_KEY"})
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert sent(load_settings(), "one") == (X, "")
    assert load_settings().withheld("connections.one").startswith("The key in the environment is not sent to")
    monkeypatch.setenv(f"{one}API_KEY", KEY)
    monkeypatch.setenv(f"{one}HEADERS", json.dumps({"X-Token": KEY}))
    settings = load_settings()
    assert sent(settings, "one") == (X, "")
    assert settings.connections["one"].headers == {}
    assert settings.withheld("connections.one").startswith("The key and headers in the environment are not sent to")
    monkeypatch.setenv(f"{one}BASE_URL", A)
    assert sent(load_settings(), "one") == (A, KEY)
    assert load_settings().withheld("connections.one") == ""
    assert "X-Token" in load_settings().connections["one"].headers


def test_a_variable_of_the_env_file_belongs_to_the_file_and_to_what_is_stronger(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[..., None]
) -> None:
    one = "CROSSROADS_CONNECTIONS__ONE__"
    env_file(**{f"{one}BASE_URL": X, f"{one}KEY_VARIABLE": "TEAM_KEY", "TEAM_KEY": OTHER_KEY})
    monkeypatch.delenv("TEAM_KEY", raising=False)
    assert sent(load_settings(), "one") == (X, OTHER_KEY)
    named = {"connections.two.base_url": A, "connections.two.key_variable": "TEAM_KEY"}
    assert sent(load_settings(named), "two") == (A, OTHER_KEY)
    monkeypatch.setenv("TEAM_KEY", KEY)
    assert sent(load_settings(), "one") == (X, "")
    assert sent(load_settings(named), "two") == (A, KEY)


def test_a_served_adapter_of_an_env_file_gets_no_exported_key(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[..., None]
) -> None:
    env_file(CROSSROADS_FINE_TUNED__BASE_URL=X)
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__API_KEY", KEY)
    settings = load_settings()
    assert (settings.fine_tuned.base_url, settings.fine_tuned.api_key) == (X, None)
    assert "https://x.example/v1" in settings.withheld("fine_tuned")


def test_an_env_file_cannot_copy_variables_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[..., None]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    env_file(OPENAI_BASE_URL="https://x.example/${OPENAI_API_KEY}/v1")
    with pytest.raises(BackendError, match=r"^OPENAI_BASE_URL in \.env refers to another variable") as refused:
        load_settings()
    assert KEY not in str(refused.value)
    one = "CROSSROADS_CONNECTIONS__ONE__"
    env_file(**{f"{one}BASE_URL": X, f"{one}KEY_VARIABLE": "MINE", "MINE": "${OPENAI_API_KEY}", "OTHER": "a${B}c"})
    assert sent(load_settings(), "one") == (X, "")


def test_a_session_is_a_source_of_its_own() -> None:
    started = {"paid_api.base_url": A, "paid_api.api_key": KEY}
    assert sent(load_settings(started, {"max_tokens": 9})) == (A, KEY)
    assert sent(load_settings(started, {"paid_api.base_url": X})) == (X, "")
    assert sent(load_settings(started, {"paid_api.base_url": X, "paid_api.api_key": OTHER_KEY})) == (X, OTHER_KEY)


def test_a_permission_holds_for_the_address_that_it_was_given_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__BASE_URL", "http://10.0.0.1/v1")
    assert load_settings({"fine_tuned.allow_private": "true"}).fine_tuned.allow_private
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__ALLOW_PRIVATE", "true")
    assert load_settings().fine_tuned.allow_private
    assert not load_settings({"fine_tuned.base_url": "http://10.0.0.2/v1"}).fine_tuned.allow_private


@pytest.mark.parametrize("written", ["{", "[]", "1"])
def test_what_the_app_was_started_with_must_be_readable(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("CROSSROADS_OVERRIDES", written)
    with pytest.raises(BackendError, match="is not JSON of settings"):
        started_with()


@pytest.mark.parametrize("writer", ["raw", "fine_tuned", "paid_api", "paid_api:own"])
def test_rag_can_be_written_by_any_connection(writer: str) -> None:
    settings = load_settings({"rag.generator": writer, "connections.own.base_url": "http://127.0.0.1:9/v1"})
    assert settings.rag.generator == writer


@pytest.mark.parametrize("writer", ["rag", "paid_api:", "own", "paid_api:Own", ""])
def test_rag_cannot_be_written_by_what_is_no_connection(writer: str) -> None:
    with pytest.raises(BackendError):
        load_settings({"rag.generator": writer, "connections.own.base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(BackendError, match=r"There is no connection called 'gone'; there are: own\."):
        load_settings({"rag.generator": "paid_api:gone", "connections.own.base_url": "http://127.0.0.1:9/v1"})
