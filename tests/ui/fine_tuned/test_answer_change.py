"""An answer beside its reference: what stands there by now is green, what is new is bold."""

from __future__ import annotations

from ui.fine_tuned.training_view import is_wanted_answer, with_changes_marked

REFERENCE = "The desk opens at 9:00."


def test_words_of_the_reference_are_green_in_their_order() -> None:
    assert with_changes_marked("The desk is open.", REFERENCE, None) == ":green-background[The desk] is open\\."
    assert with_changes_marked("9:00 opens", "opens at 9:00", None).count(":green-background[") == 1


def test_what_was_not_said_before_is_bold() -> None:
    after = with_changes_marked("The desk opens at nine.", REFERENCE, "The desk is open.")
    assert after == ":green-background[The desk] :green-background[**opens at**] **nine\\.**"


def test_the_first_round_has_nothing_new() -> None:
    assert "**" not in with_changes_marked("Anything at all", REFERENCE, None)


def test_case_and_marks_at_the_ends_do_not_count() -> None:
    assert with_changes_marked("the DESK, opens", REFERENCE, "The desk: opens") == ":green-background[the DESK, opens]"
    assert is_wanted_answer("the desk opens at 9:00", REFERENCE)
    assert not is_wanted_answer("the desk opens at 8:00", REFERENCE)


def test_an_answer_is_never_read_as_markdown() -> None:
    assert with_changes_marked("![x](http://e.example) **b**", REFERENCE, None) == (
        "\\!\\[x\\]\\(http\\::small[]//e\\.example\\) \\*\\*b\\*\\*"
    )


def test_no_answer_is_said() -> None:
    assert with_changes_marked("  ", REFERENCE, "The desk") == "*nothing*"
