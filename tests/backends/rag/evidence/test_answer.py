"""Sentences of an answer against passages: supported, not found, nothing to check; own citations are checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.base import Answer, Passage
from backends.rag.evidence.answer import (
    AnswerEvidence,
    SentenceEvidence,
    check,
    is_refusal,
    sentence_evidence,
    with_citations,
)
from terminal.records import answer_record

RETURNS = """2.1 Unopened goods
Espresso machines, kettles and grinders whose inner seal is unbroken may be returned within 45
days. A return number is valid for 10 working days.
2.2 Opened goods
The time depends on the product:
Product
Window once opened
Ember One espresso machine
30 days
Ember Duo espresso machine
21 days
Trade customers pay a restocking fee of 18%. The label costs £9.50 for a kettle or a grinder and £18 for an
espresso machine. Vinegar must not be used in the K3."""

WARRANTY = """## Warranty periods

| Product | Standard period | Registered period |
| --- | --- | --- |
| Kettle K2 | 18 months | 24 months |
| Kettle K3 | 30 months | 42 months |

The data protection lead is Helen Sturrock; passwords of administrators have at least **20 characters**."""


def passage(text: str, document: str) -> Passage:
    return Passage(document, None, document, 0.5, 100, 100 + len(text), text)


PASSAGES = (passage(RETURNS, "returns-policy.pdf"), passage(WARRANTY, "warranty-terms.docx"))


def judged(answer: str, question: str = "") -> list[SentenceEvidence]:
    return list(sentence_evidence(answer, PASSAGES, question))


def one(answer: str, question: str = "") -> SentenceEvidence:
    (only,) = judged(answer, question)
    return only


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("An opened Ember One may be returned within 30 days.", "Ember One espresso machine\n30 days"),
        ("Once opened, the Ember Duo can be returned for twenty-one days.", "Ember Duo espresso machine\n21 days"),
        ("Return numbers are valid for ten working days.", "A return number is valid for 10 working days."),
        ("The label for an espresso machine costs £18.00.", "£18 for an\nespresso machine."),
        ("The K3 kettle has a registered period of 42 months.", "| Kettle K3 | 30 months | 42 months |"),
        ("Helen Sturrock is the data protection lead.", "The data protection lead is Helen Sturrock"),
        ("Never use vinegar in the K3.", "Vinegar must not be used in the K3."),
    ],
)
def test_what_a_passage_says_is_supported_where_it_says_so(sentence: str, place: str) -> None:
    found = one(sentence)
    assert found.verdict == "supported"
    (support,) = found.support
    assert PASSAGES[support.passage - 1].text[support.start : support.end] == place


@pytest.mark.parametrize(
    "sentence",
    [
        "An opened Ember One may be returned within 21 days.",  # the number of another row
        "An opened Ember Duo may be returned within 30 days.",
        "The label for a kettle costs £18.",  # of another clause
        "The K3 kettle has a standard period of 42 months.",  # of another column
        "The K2 kettle has a registered period of 42 months.",
        "Return numbers are valid for ten weeks.",  # another unit
        "The data protection lead is Dafydd Oakhanger.",  # another name
        "Vinegar may be used in the K3.",  # denied
        "Paris is the capital of France.",
        "Most makers give a warranty of 24 months.",
        "Returns cost nothing.",
    ],
)
def test_what_only_looks_alike_is_not(sentence: str) -> None:
    assert one(sentence).verdict == "unsupported"
    assert one(sentence).passages == ()


def test_a_sentence_may_need_two_passages() -> None:
    found = one("Trade customers pay a fee of 18%, while the K2 kettle has a standard period of 18 months.")
    assert (found.verdict, found.passages) == ("supported", (1, 2))
    assert one("Trade customers pay a fee of 18%, while the K2 kettle has one of 24 weeks.").verdict == "unsupported"


def test_what_an_elliptical_answer_leaves_out_comes_from_the_question() -> None:
    assert one("30 days.").verdict == "unsupported"
    assert one("30 days.", "How long can an opened Ember One be returned?").verdict == "supported"
    assert one("21 days.", "How long can an opened Ember One be returned?").verdict == "unsupported"
    assert one("It is 18%.", "What restocking fee do trade customers pay?").verdict == "supported"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("Hello!", "no_claim"),
        ("Here is what I found:", "no_claim"),
        ("Would you like to know more?", "no_claim"),
        ("I hope this helps.", "no_claim"),
        ("Yes.", "no_claim"),
        ("[1]", "no_claim"),
        ("The documents do not say.", "refusal"),
        ("The passages don't mention the colour.", "refusal"),
        ("I don't know.", "refusal"),
        ("Sure, it is 45 days.", "unsupported"),
        ("The documents do not say, but most makers give two years.", "unsupported"),
        ("The documents do not give 99 days.", "unsupported"),
    ],
)
def test_only_claims_are_checked(answer: str, verdict: str) -> None:
    assert one(answer).verdict == verdict


def test_an_answer_that_refuses_is_no_unsupported_answer() -> None:
    assert is_refusal(judged("I'm sorry. The documents do not say."))
    assert not is_refusal(judged("The documents do not say. Paris is the capital of France."))
    assert not is_refusal(judged("Hello!"))
    assert not is_refusal(())


@pytest.mark.parametrize(
    ("citation", "own", "confirmed", "wrong"),
    [
        ("[1]", (1,), True, ()),
        ("[1, 2]", (1, 2), False, (2,)),
        ("[1][2]", (1, 2), False, (2,)),
        ("【1】", (1,), True, ()),
        ("[^1]", (1,), True, ()),
        ("[1-3]", (1, 2, 3), False, (2, 3)),
        ("[7]", (7,), False, (7,)),
        ("[2024]", (), None, ()),
        ("[3-1]", (), None, ()),
        ("", (), None, ()),
    ],
)
def test_own_citations_are_kept_and_checked(
    citation: str, own: tuple[int, ...], confirmed: bool | None, wrong: tuple[int, ...]
) -> None:
    found = one(f"A return number is valid for 10 working days. {citation}")
    assert (found.verdict, found.passages) == ("supported", (1,))
    assert (found.citations, found.citations_confirmed, found.wrong_citations) == (own, confirmed, wrong)


def test_a_citation_of_what_is_not_there_is_not_confirmed() -> None:
    found = one("A return number is valid for 99 working days [1].")
    assert (found.verdict, found.citations_confirmed, found.wrong_citations) == ("unsupported", False, (1,))
    assert one("The documents do not say [1].").citations_confirmed is None


def test_citations_are_added_where_the_answer_has_none() -> None:
    first, second = (
        "- An opened Ember One may be returned within 30 days.",
        "- Return numbers last 10 working days [2].\n",
    )
    answer = f"Hello!\n\n{first}\n{second}"
    assert with_citations(answer, judged(answer)) == f"Hello!\n\n{first} [1]\n{second}"
    assert with_citations("No passages here.", ()) == "No passages here."


def test_places_are_in_the_answer_and_in_the_passages() -> None:
    answer = "  The K2 kettle has a standard period of 18 months. It is green.  "
    first, second = judged(answer)
    assert answer[first.start : first.end] == "The K2 kettle has a standard period of 18 months."
    assert answer[second.start : second.end] == "It is green."
    assert [support.passage for support in first.support] == [2]


@pytest.mark.parametrize("passages", [(), (passage("", "empty.md"),), (passage("|" * 5000, "pipes.md"),)])
def test_passages_with_nothing_in_them_support_nothing(passages: tuple[Passage, ...]) -> None:
    (found,) = sentence_evidence("The fee is 12 %.", passages)
    assert found.verdict == "unsupported"
    assert sentence_evidence("", passages) == ()


@pytest.mark.parametrize(
    "text", ["1,2,3,4,5,6\n" * 900, "1 and " * 2000, "a 1; " * 2400, "| x | 1 | 2 |\n" * 800, "A B C D " * 1500]
)
def test_hostile_passages_and_answers_are_worked_through(text: str) -> None:
    assert sentence_evidence("The Ember One holds 9 litres.", [passage(text, "a.txt")])[0].verdict == "unsupported"
    assert sentence_evidence(text, PASSAGES)


# --- what was made to be slow, or to fail -------------------------------------------------------

ALIKE = "Fee apple is 12 days.\nFee is 13 weeks foreign.\nFee 14 days apple.\n" * 130
SLOW = [
    ("Fee foreign apple is 12 days. " * 170, ALIKE),
    (
        " ".join(f"Fee w{n}x is 12 days." for n in range(230)),
        " ".join(f"Fee is 12 days u{n}. W{n} 13 days." for n in range(250)),
    ),
    ("fee 1 and fee 2, " * 300, "fee 1; fee 2, fee 3 and fee 1.\n" * 260),
    ("Fee 1 days. " * 400, "; Fee 1" * 1100),
    (" ".join(f"K{n} holds {n}." for n in range(400)), " ".join(f"K{n + 400} holds {n}." for n in range(500))),
    ("Fee 1 x. " * 500, "|" + "a|" * 1900 + "\n|-|\n|" + "a|1|" * 950),
    ("Fee 1 x. " * 500, "|" + "a" * 6000 + "|b|\n|-|-|\n" + "|1|2|\n" * 300),
]


@pytest.mark.parametrize(("answer", "text"), SLOW)
def test_three_long_passages_and_a_long_answer_are_little_work(answer: str, text: str) -> None:
    """Before, it was more than 100 million comparisons."""
    passages = [passage(text[:8000], f"{number}.txt") for number in range(3)]
    found = sentence_evidence(answer[:5000], passages, most_work=400_000)
    assert found
    assert not [one for one in found if one.verdict == "unchecked"]


def test_ten_times_as_much_text_is_not_a_hundred_times_the_work() -> None:
    def fits(sentences: int, work: int) -> bool:
        text = " ".join(f"The K{number} kettle holds {number} litres." for number in range(sentences))
        return all(
            one.verdict == "supported" for one in sentence_evidence(text, [passage(text, "a.txt")], most_work=work)
        )

    assert fits(100, 12_000)
    assert fits(1000, 120_000)


def test_after_so_much_work_the_rest_is_said_to_be_unchecked() -> None:
    text = "A return number is valid for 10 working days."
    found = sentence_evidence(f"{text} " * 50, PASSAGES, most_work=len(RETURNS + WARRANTY) + 10 * 55)
    verdicts = [one.verdict for one in found]
    checked = verdicts.count("supported")
    assert 5 < checked < 45
    assert verdicts == ["supported"] * checked + ["unchecked"] * (50 - checked)
    assert not is_refusal(found)
    assert [one.verdict for one in sentence_evidence(text, PASSAGES, most_work=9)] == ["unchecked"]


def test_what_was_left_out_is_said() -> None:
    huge = tuple(passage("x " * 500_000, f"{number}.txt") for number in range(3))
    assert check(Answer("rag", "m", "It is 18%. It is 19%.", "ok", sources=huge), "").note == (
        "No sentence was checked against the passages: comparing texts like these takes too much work."
    )
    assert check(Answer("rag", "m", "It is 18%.", "ok", sources=PASSAGES), "").note == ""
    assert check(Answer("rag", "m", "It is 18%.", "ok"), "") == AnswerEvidence()


@pytest.mark.parametrize("number", ["1:" + "5" * 5000, "5" * 5000, "1." + "5" * 5000])
def test_a_number_of_any_length_is_only_a_number(number: str) -> None:
    (found,) = sentence_evidence(f"The fee is {number} EUR.", [passage(f"The fee is {number} EUR.", "fees.md")])
    assert found.verdict == "supported"
    assert one(f"The fee is {number} EUR.").verdict == "unsupported"
    assert one(f"Vinegar must not be used in the K3 [{number[2:]}].").citations == ()


def test_an_answer_outlives_a_fault_of_the_comparison(caplog: pytest.LogCaptureFixture) -> None:
    broken = replace(PASSAGES[0], text=None)  # type: ignore[arg-type]
    checked = check(Answer("rag", "m", "It is 18%.", "ok", sources=(broken,)), "")
    assert checked.sentences == ()
    assert checked.note == (
        "Checking the sentences against the passages failed unexpectedly (TypeError). "
        "The log has the details; the answer stands."
    )
    record = answer_record(Answer("rag", "m", "It is 18%.", "ok", sources=(broken,)), "")
    assert (record["text"], record["evidence"], record["evidence_note"]) == ("It is 18%.", [], checked.note)
