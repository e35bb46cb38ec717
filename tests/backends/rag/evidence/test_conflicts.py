"""Two passages that give different figures for the same thing; and, more often, two that are about different things."""

from __future__ import annotations

import pytest

from backends.base import Answer, Passage
from backends.rag.evidence.answer import AnswerEvidence, check

IN_FORCE = "An opened espresso machine returned without a fault carries a restocking fee of 12%."
BEFORE = "An opened espresso machine returned without a fault carried a restocking fee of 15% of the price paid."
TABLE = "| Bin | Every 2 weeks | Every 4 weeks |\n|---|---|---|\n| 60 litres | {} euros | 61.20 euros |\n"


def passage(document: str, text: str, heading: str = "", superseded: str = "") -> Passage:
    return Passage(document, None, document, 0.5, 0, len(text), text, heading, superseded)


def checked(said: str, *passages: Passage) -> AnswerEvidence:
    return check(Answer("rag", "m", said, "ok", sources=passages), "What is it?")


def sentences(said: str, *passages: Passage) -> list[str]:
    return [one.sentence for one in checked(said, *passages).conflicts]


NEW = passage("returns-policy.pdf", f"Returns\n{IN_FORCE} Kettles carry none.", "3. Restocking fee")
OLD = passage("returns-policy-2022-superseded.md", f"{BEFORE} Trade customers paid 20%.", "3. Restocking fee", "old")


def test_the_superseded_figure_is_a_warning_and_the_one_in_force_a_remark() -> None:
    stale = checked("An opened espresso machine carries a restocking fee of 15%.", NEW, OLD)
    (found,) = stale.conflicts
    assert stale.sentences[0].verdict == "supported"
    assert found.is_warning
    assert found.sentence == (
        "Sources disagree: [1] says 12%, [2] says 15% (superseded). The answer goes by the one that is not in force."
    )
    (found,) = checked("The restocking fee of an opened espresso machine is 12 %.", OLD, NEW).conflicts
    assert not found.is_warning
    assert found.sentence == (
        "Sources disagree: [1] says 15% (superseded), [2] says 12%. The answer goes by the one that is in force."
    )


def test_an_answer_that_gives_both_figures_is_no_warning_and_one_conflict() -> None:
    one = checked("The restocking fee of an opened espresso machine is 12 %. It was 15 % on opened machines.", NEW, OLD)
    quoted = checked(f"{IN_FORCE} [1]\n{BEFORE} [2]", NEW, OLD)
    for found in (one, quoted):
        assert [(conflict.both, conflict.is_warning) for conflict in found.conflicts] == [(True, False)]
        assert found.conflicts[0].sentence.endswith("The answer gives both.")


def test_whoever_asks_for_the_past_is_not_warned_of_it() -> None:
    for question, warned in (("What was the fee under version 3?", False), ("What is the fee?", True)):
        said = Answer("rag", "m", f"{BEFORE} [2]", "ok", sources=(NEW, OLD))
        assert [one.is_warning for one in check(said, question).conflicts] == [warned]


def test_where_nothing_tells_which_is_in_force_that_is_said() -> None:
    text = "The quiet hours of every working day begin in the large hall at 20 degrees and {} lux."
    one, other = passage("hall rules.md", text.format(300)), passage("safety.txt", text.format(500))
    (found,) = checked(text.format(300), one, other).conflicts
    assert found.is_warning
    assert found.sentence == (
        "Sources disagree: [1] says 300 lux, [2] says 500 lux. "
        "The answer goes by [1], and nothing tells which one is in force."
    )


def test_what_was_found_and_not_read_may_disagree_too() -> None:
    answer = Answer("rag", "m", f"{IN_FORCE} [1]", "ok", sources=(NEW,), beside=(OLD,))
    (found,) = check(answer, "Which fee?").conflicts
    assert (found.used.number, found.other.number, found.is_warning) == (1, 0, False)
    assert found.sentence == (
        f"Sources disagree: [1] says 12%, {OLD.document} says 15% (superseded). "
        "The answer goes by the one that is in force."
    )
    unread = Answer("rag", "m", "The restocking fee is 15% of the price paid.", "ok", sources=(NEW,), beside=(OLD,))
    assert check(unread, "Which fee?").sentences[0].verdict == "unsupported"


@pytest.mark.parametrize(
    ("now", "then", "figures"),
    [
        ("Keep at least 50 m away from people.", "Stay at least 30 m away from people.", ("50 m", "30 m")),
        ("Range of the remote control: 6,000 m.", "The remote control has a range of 4 km.", ("6,000 m", "4 km")),
        (
            "No course has more than 10 swimmers.",
            "Courses have at most 12 participants.",
            ("10 swimmers", "12 particip"),
        ),
        ("Let the battery cool for half an hour.", "The battery cools for 20 minutes.", ("half an hour", "20 minutes")),
    ],
)
def test_an_edition_may_say_it_in_other_words_and_units(now: str, then: str, figures: tuple[str, str]) -> None:
    (found,) = checked(now, passage("manual-2025.md", now), passage("manual-2021.md", then)).conflicts
    assert found.used.text == figures[0]
    assert found.other.text.startswith(figures[1])


def test_of_several_statements_the_one_about_the_same_thing_disagrees() -> None:
    old = "An adult pays 5 euros. Students pay 2 euros. A towel is 1 euro."
    new = "For adults it is 7 euros, for students 3 euros."
    found = checked(new, passage("tariff-2026.md", new), passage("tariff-2023.md", old)).conflicts
    assert [(one.used.text, one.other.text) for one in found] == [("7 euros", "5 euros"), ("3 euros", "2 euros")]


def test_a_cell_of_two_editions_of_a_table() -> None:
    old, new = (
        passage("fees-2023.md", TABLE.format("98.40"), "Charges"),
        passage("fees-2026.md", TABLE.format("104.40")),
    )
    assert sentences("The bin of 60 litres every 2 weeks costs 104.40 euros.", old, new) == [
        "Sources disagree: [1] says 98.40 euros, [2] says 104.40 euros. "
        "The answer goes by [2], and nothing tells which one is in force."
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # sisters: what they are about stands in the names of the documents alone
        (
            ("kettle-k2.md", "Descale the kettle after 60 days of use."),
            ("kettle-k3.md", "Descale the kettle after 90 days of use."),
        ),
        (
            ("ember-one.md", "The warranty of the machine lasts 2 years."),
            ("ember-duo.md", "The warranty of the machine lasts 3 years."),
        ),
        (
            ("leave-policy.md", "Requests are approved within 5 days."),
            ("travel-policy.md", "Requests are approved within 9 days."),
        ),
        (
            ("minutes-03-11.md", "The balance of the club is 300 euros."),
            ("minutes-04-08.md", "The balance of the club is 500 euros."),
        ),
        # another subject, condition, direction, unit, or kind of figure
        (("a.md", "An adult pays 12 euros for a day ticket."), ("a-2022.md", "A child pays 9 euros for a day ticket.")),
        (("a.md", "The Alpha costs 12 euros a month."), ("a-2022.md", "The Beta costs 14 euros a month.")),
        (("a.md", "Bags weigh at most 12 kg on the bus."), ("a-2022.md", "Bags weigh at least 5 kg on the bus.")),
        (
            ("a.md", "The lens is cleaned 3 times in the season."),
            ("a-2022.md", "The lens is cleaned for 14 minutes in the season."),
        ),
        (("a.md", "Dogs are taken along for 3 euros."), ("a-2022.md", "Dogs are not taken along for 4 euros.")),
        # the same document, or the same figure, written otherwise
        (("a.md", "Notice is given 2 weeks before the end."), ("a-2022.md", "Notice is given 14 days before the end.")),
        (("a.md", "The tour takes 90 minutes."), ("a-2022.md", "The tour takes an hour and a half.")),
        (("a.md", "The machine weighs 0.72 kg."), ("a-2022.md", "The machine weighs 720 g.")),
        (("a.md", "It closes at 8 pm on Mondays."), ("a-2022.md", "It closes at 20:00 on Mondays.")),
        (("a.md", "A day ticket costs 12 euros in summer."), ("a.md", "A day ticket costs 14 euros in summer.")),
        (("a.md", "A day ticket costs 12 euros in summer."), ("a-2022.md", "A day ticket costs 12 euros in summer.")),
        (
            ("b.md", "| Item | Price |\n|---|---|\n| Filter | 12 |\n"),
            ("b-2022.md", "| Item | Price |\n|---|---|\n| Seal | 14 |\n"),
        ),
    ],
)
def test_what_is_about_something_else_is_no_conflict(one: tuple[str, str], other: tuple[str, str]) -> None:
    said = one[1] if "|" not in one[1] else "The price of the item filter is 12."
    found = checked(said, passage(*one), passage(*other))
    assert found.sentences[0].verdict == "supported"
    assert found.conflicts == ()


def test_headings_tell_alike_sentences_of_two_editions_apart() -> None:
    trade = passage("terms.md", "The goods are paid for within 30 days.", "Trade customers")
    old = [
        passage("terms-2022.md", f"The goods were paid for within {days} days.", heading)
        for days, heading in ((14, "Private persons"), (21, "Trade customers"))
    ]
    (found,) = checked(trade.text, trade, *old).conflicts
    assert (found.used.text, found.other.text) == ("30 days", "21 days")


@pytest.mark.parametrize("text", ["Fee 14 days apple.\n" * 400, "| x | 1 | 2 |\n" * 800, "1,2,3,4,5,6\n" * 900])
def test_texts_made_to_be_slow_are_little_work(text: str) -> None:
    passages = [passage(f"{name}-2020.md", text.replace("14", str(number))) for number, name in enumerate("aaab")]
    assert checked("Fee 0 days apple. " * 300, *passages).note == ""
