"""A browser that loads the page again: it gets back what it had, as it was, and no other browser sees any of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from pytest_httpserver import HTTPServer
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Question
from backends.run.live import LiveComparison
from backends.settings import load_settings
from backends.spend.ledger import entries
from backends.storage.browsers import keep, kept
from evaluation.samples import Sample
from tests.backends.openai_server import KEY, PATH, paris
from tests.pages.opening import HOME, everything, markdown_in
from tests.scripted import PATIENCE_S, Gate, Scripted, finished
from ui import kept as kept_of_pages

pytestmark = pytest.mark.usefixtures("scripted")

MINE, YOURS = "m" * 43, "y" * 43
APPROACHES = ["raw", "fine_tuned", "paid_api", "rag"]


def loaded(page: str = "compare", browser: str = MINE, **state: object) -> AppTest:
    """The page as a browser finds it that loads it, or loads it again."""
    at = AppTest.from_file(str(HOME / "pages" / f"{page}.py"), default_timeout=PATIENCE_S)
    at.session_state["browser"] = browser
    for key, value in state.items():
        at.session_state[key] = value
    return run(at)


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def ask(at: AppTest, question: str, page: str = "compare") -> AppTest:
    at.text_area(key=f"question:{page}").input(question)
    return run(at.button(key=f"ask:{page}").click())


def warnings(at: AppTest) -> list[str]:
    return [one.value.replace("\\", "").replace(":small[]", "") for one in at.warning]


@pytest.fixture
def data() -> Path:
    return load_settings().data


def test_question_and_answers_come_back_as_they_were_and_nothing_is_asked_again(data: Path) -> None:
    before = loaded()
    before.button_group(key="chosen:compare").set_value(["raw", "rag"])
    ask(before, "How long?")
    asked = len(entries(data))
    again = loaded()
    assert [one.value for one in again.header][:1] == ["How long?"]
    for part in ("answer-", "numbers-", "state-"):
        assert markdown_in(again, part) == markdown_in(before, part)
        assert len(markdown_in(again, part)) >= 2
    assert [list(one.value.to_dict()) for one in again.dataframe] == [
        list(one.value.to_dict()) for one in before.dataframe
    ]
    assert len(entries(data)) == asked == 2
    run(again.button(key="edit:compare").click())
    assert again.text_area(key="question:compare").value == "How long?"
    assert again.button_group(key="chosen:compare").value == ["raw", "rag"]


def test_another_browser_and_one_without_cookies_see_nothing(data: Path) -> None:
    ask(loaded(), "My own question?")
    for other in (YOURS, None):
        at = loaded(browser=other)  # type: ignore[arg-type]
        assert "My own question" not in everything(at)
        assert not at.header or at.header[0].value != "My own question?"


def test_each_page_gets_its_own_question_back() -> None:
    ask(loaded("raw"), "One?", "raw")
    ask(loaded("rag"), "Two?", "rag")
    for page, question in (("raw", "One?"), ("rag", "Two?")):
        at = loaded(page)
        assert at.text_area(key=f"question:{page}").value == question
        assert markdown_in(at, "answer-") == [f"{page} heard\\: {question}"]


def test_what_was_typed_and_not_asked_comes_back_beside_the_answers_before() -> None:
    before = loaded()
    run(before.text_area(key="question:compare").input("Not yet asked"))
    assert loaded().text_area(key="question:compare").value == "Not yet asked"
    ask(before, "Asked?")
    assert not loaded().text_area  # what was asked folds away
    run(run(before.button(key="edit:compare").click()).text_area(key="question:compare").input("Another one"))
    again = loaded()
    assert again.text_area(key="question:compare").value == "Another one"
    assert again.header[0].value == "Asked?"
    run(again.button(key="close:compare").click())
    assert not loaded().text_area


def test_a_page_that_was_left_finds_what_still_runs() -> None:
    gate = Gate()
    running = LiveComparison([Scripted(gate, finished(), approach="raw", lane=None)], Question("Still?", run="r"))
    kept_of_pages._running[MINE, "compare"] = running
    keep(load_settings().data, MINE, "comparison:compare", b"what was known when it began")
    assert gate.reached.wait(PATIENCE_S)
    gate.opened.set()
    at = loaded()
    assert at.session_state["live_comparisons"]["compare"] is running
    assert [one.value for one in at.header][:1] == ["Still?"]


def test_thumbs_and_notes_come_back() -> None:
    at = ask(loaded(), "Is it mine to judge?")
    key = at.feedback[0].key
    run(at.feedback[0].set_value(1))
    run(at.text_input(key=f"{key}:note").input("well said"))
    again = loaded()
    assert [one.value for one in again.feedback] == [1, None, None, None]
    assert [one.value for one in again.text_input if one.label == "Note"] == ["well said", "", "", ""]
    assert "Right" in markdown_in(again, "state-")[0]


def test_what_an_uploaded_set_says_is_right_comes_back() -> None:
    sample = Sample("q1", "What is heard?", "heard", (("heard",),))
    before = loaded(question_sets={"mine.csv": [sample]})
    ask(before, "What is heard?")
    stands = markdown_in(before, "state-")
    assert any("Right" in one for one in stands)
    assert markdown_in(loaded(), "state-") == stands


def test_settings_come_back_but_no_key_no_password_and_no_budget(data: Path) -> None:
    changed = {
        "max_tokens": 41,
        "rag.collection": "mine",
        "connections.own.base_url": "https://gateway.example/v1",
        "connections.own.model": "m",
        "connections.own.api_key": KEY,
        "paid_api.base_url": f"https://me:{KEY}@gateway.example/v1",
        "budget.per_day_usd": "5.00",
    }
    loaded(setting_overrides=changed)
    assert KEY.encode() not in b"".join(kept(data, MINE).values())
    found = loaded().session_state["setting_overrides"]
    assert found == {name: changed[name] for name in list(changed)[:4]}


def test_settings_that_cannot_be_used_any_more_are_left_out(data: Path) -> None:
    keep(data, MINE, "setting_overrides", b'{"rag.k": "many"}')
    keep(data, MINE, "cost_billing", b'"machines rented all month"')
    at = loaded()
    assert warnings(at) == [
        "After a reload this browser gets less back. A part of what this browser had before could not be read. "
        "It was left out."
    ]
    assert at.session_state["cost_billing"] == "machines rented all month"
    assert warnings(run(at)) == []


def test_cost_inputs_come_back() -> None:
    at = loaded("costs")
    run(at.number_input(key="cost:questions").set_value(77_000))
    run(at.text_input(key="price_by_hand:model").input("offer"))
    for part, price in (("input", 1.5), ("output", 3.0)):
        at.number_input(key=f"price_by_hand:{part}").set_value(price)
    run(at.button(key="FormSubmitter:price_by_hand-Draw it").click())
    run(at)
    again = loaded("costs")
    assert again.number_input(key="cost:questions").value == 77_000
    assert again.session_state["cost_models_added"] == at.session_state["cost_models_added"]
    assert again.multiselect(key="cost:paid").value == at.multiselect(key="cost:paid").value
    run(again.button(key="reset_costs").click())
    run(again)
    assert loaded("costs").number_input(key="cost:questions").value != 77_000


def test_pairs_come_back_with_their_edits_and_go_when_they_are_put_away() -> None:
    from backends.fine_tuned.pairs.files import Pair
    from ui.fine_tuned import chosen_pairs

    at = loaded()
    lines = (
        b'{"question": "One?", "answer": "1"}\n{"question": "Two?", "answer": "2"}\n{"question": "", "answer": "3"}\n'
    )
    pairs = chosen_pairs.check_pairs(lines, "p.jsonl").pairs
    edited = (*pairs, Pair("Three?", "3"))
    at.session_state["fine_tuned_pairs"] = chosen_pairs.ChosenPairs("mine", edited, pairs, lines, "p.jsonl", 1)
    run(at)
    again = loaded().session_state["fine_tuned_pairs"]
    assert (again.pairs, again.start, again.content, again.source) == (edited, pairs, lines, "mine")
    at = loaded()
    del at.session_state["fine_tuned_pairs"]
    run(at)
    assert "fine_tuned_pairs" not in loaded().session_state


def test_a_damaged_store_is_a_sentence_and_the_page_works(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "browsers.sqlite").write_bytes(b"no database" * 500)
    at = loaded()
    assert warnings(at) == [
        "After a reload this browser gets less back. browsers.sqlite in the data folder is damaged. "
        "Move it away; a new one is begun."
    ]
    assert len(markdown_in(ask(at, "Does it answer?"), "answer-")) == len(APPROACHES)


def test_what_is_forgotten_does_not_come_back(data: Path) -> None:
    at = ask(loaded(), "To be forgotten?")
    run(at.button(key="edit:compare").click())
    run(at.button(key="forget_browser").click())
    assert not [one for one in at.header if one.value == "To be forgotten?"]
    assert "To be forgotten" not in everything(at)
    assert "To be forgotten" not in everything(loaded())
    assert not [file for file in data.rglob("browsers.sqlite*") if b"To be forgotten" in file.read_bytes()]


# --- keys in the system's keyring ------------------------------------------------------------------


class MemoryKeyring(KeyringBackend):
    """A keyring that forgets with the test."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


class LockedKeyring(MemoryKeyring):
    """A keyring whose owner does not open it."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"refused {password}")


@pytest.fixture
def system_keyring(request: pytest.FixtureRequest) -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    made = getattr(request, "param", MemoryKeyring)()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """The paid model's server, with real approaches of which none is loaded."""
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.delenv("CROSSROADS_SCRIPTED")
    monkeypatch.setattr("ui.resources.WarmUp.start", lambda self: self)
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", httpserver.url_for("/v1"))
    return httpserver


def sent(server: HTTPServer) -> list[str | None]:
    return [request.headers.get("Authorization") for request, _ in server.log]


def with_a_remembered_key() -> AppTest:
    at = loaded("paid_api")
    at.checkbox(key="remember:paid_api").check()
    return run(at.text_input(key="setting:paid_api.api_key").input(KEY))


def test_a_key_is_remembered_only_in_the_keyring_and_used_after_a_reload(
    server: HTTPServer, system_keyring: MemoryKeyring, data: Path
) -> None:
    with_a_remembered_key()
    assert list(system_keyring.held.values()) == [KEY]
    assert not [file for file in data.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    again = loaded("paid_api")
    assert KEY not in everything(again)
    ask(again, "Capital of France?", "paid_api")
    assert sent(server) == [f"Bearer {KEY}"]
    ask(loaded("paid_api", browser=YOURS), "Capital of France?", "paid_api")
    assert KEY not in str(sent(server)[1:])


def test_a_remembered_key_goes_to_no_other_address(
    server: HTTPServer, system_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_remembered_key()
    here = server.url_for("/v1")
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", here.replace("/v1", "/v2"))
    keep(load_settings().data, MINE, "setting_overrides", b"{}")  # nothing but the environment says where
    at = loaded("paid_api")
    assert KEY not in str(at.session_state["setting_overrides"])
    assert not at.checkbox(key="remember:paid_api").value
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", here)
    assert KEY in str(loaded("paid_api").session_state["setting_overrides"])


def test_a_key_can_be_forgotten(server: HTTPServer, system_keyring: MemoryKeyring) -> None:
    at = with_a_remembered_key()
    run(at.button(key="forget_key:paid_api").click())
    assert system_keyring.held == {}
    assert "paid_api.api_key" not in at.session_state["setting_overrides"]
    assert "paid_api.api_key" not in loaded("paid_api").session_state["setting_overrides"]


def test_forgetting_the_browser_takes_its_keys_out_of_the_keyring(
    server: HTTPServer, system_keyring: MemoryKeyring
) -> None:
    at = with_a_remembered_key()
    run(at.button(key="forget_browser").click())
    assert system_keyring.held == {}


@pytest.mark.parametrize("system_keyring", [LockedKeyring], indirect=True)
def test_a_keyring_that_refuses_is_a_sentence_without_the_key(
    server: HTTPServer, system_keyring: MemoryKeyring
) -> None:
    at = with_a_remembered_key()
    said = [one.value.replace("\\", "") for one in at.error]
    assert said == ["The system's keyring refused (RuntimeError). Unlock it and try again, or enter the key anew."]
    assert KEY not in everything(at)
    ask(at, "Capital of France?", "paid_api")  # it is the session's all the same
    assert sent(server) == [f"Bearer {KEY}"]


def test_without_a_keyring_the_page_says_so_in_place_of_the_choice(server: HTTPServer) -> None:
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())
    at = loaded("paid_api")
    assert "remember:paid_api" not in [one.key for one in at.checkbox]
    sentence = "This system has no keyring that is running, so a key cannot be remembered."
    assert sentence in [one.value.removeprefix(":material/key_off: ").replace("\\", "") for one in at.caption]
