"""Tables of values from outside: nothing in them is Markdown, wherever it stands."""

from __future__ import annotations

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.hostile_text import CORPUS
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

IMAGE = CORPUS["image"]


def drawn(rows: object, **options: object) -> pd.DataFrame:
    def script(rows: object, options: dict[str, object]) -> None:
        from ui.shared.tables import literal_table

        literal_table(rows, **options)  # type: ignore[arg-type]

    at = AppTest.from_function(script, args=(rows, options)).run()
    assert not at.exception
    return at.table[0].value


def test_cells_headings_and_names_of_rows_are_letters() -> None:
    shown = drawn(pd.DataFrame({IMAGE: {IMAGE: IMAGE, "sum": "$1"}}), strong=("sum",))
    assert shown.to_dict() == {escaped(IMAGE): {escaped(IMAGE): escaped(IMAGE), "sum": "**\\$1**"}}


def test_a_mapping_is_names_with_their_cells_and_a_list_has_a_row_for_each() -> None:
    assert drawn({IMAGE: IMAGE}).iloc[:, 0].to_dict() == {escaped(IMAGE): escaped(IMAGE)}
    assert drawn([{"a": IMAGE}, {"a": "b"}]).to_dict("list") == {"a": [escaped(IMAGE), "b"]}


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_no_text_is_more_than_a_table_can_carry(text: str) -> None:
    assert drawn({text: text}).iloc[0, 0] == escaped(text)


def test_names_that_look_alike_are_told_apart() -> None:
    assert list(drawn(pd.DataFrame([["1", "2"]], columns=["a", "a\u202e"]))) == ["a", "a 2"]


def test_a_data_frame_keeps_its_numbers_and_loses_what_hides_letters() -> None:
    columns = {"a\u202e": ["x\ud800", None], "n": pd.array([1, None], dtype="Int64")}
    shown = plain_frame(columns)
    assert shown["a"].fillna("").to_list() == ["x\ufffd", ""]
    assert shown["n"].to_list() == [1, pd.NA]
    assert shown["n"].dtype == "Int64"
    assert plain_frame([{"a\u202e": "x\ud800", "n": 1}]).to_dict("list") == {"a": ["x\ufffd"], "n": [1]}
