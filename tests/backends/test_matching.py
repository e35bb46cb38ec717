"""One spelling for what is written in many ways."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends.matching import matchable, plain, readable

ODD = st.sampled_from(
    [
        *("\u00ad", "\u200b", "\ufb01", "\ufb03", "\u00bd", "\u2076", "\u2082", "\u2460", "\u0301", "\u0130", "\u1e9e"),
        *(
            "-\n",
            "\u00ad\n",
            "\u2010\n  ",
            "\u2014\n",
            "1,200",
            "1.200",
            "12,5",
            "1\u202f200",
            "1'200",
            " 200",
            ",5",
            ".",
        ),
        *("**", "__", "`", "~~", "\\*", "[a](b)", "<b>", "<sup>6</sup>", "^{6}", "m^2", " \u20ac", " und ", "\u2028"),
        *("\u0661", "\uff11", "\u0e01\u0e33", "\u1100\u1161\u11a8", "\uac00", "\u30ab\u3099", "\uff76\uff9e", "\u0640"),
        *("\ud800", "\x00", "\ufdfa", "\u0345", "\u0f73", "\u0041\u030a", "5 m\u00b2", "a-\nb", "A-\nB"),
    ]
)
TEXTS = st.lists(st.one_of(ODD, st.text(max_size=6), st.text("019., '*_-\n x", max_size=6)), max_size=12).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("*1*,*200*")
@example("a**\n" + "\u0301" * 100)
def test_it_never_raises_and_done_twice_is_done_once(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert matchable(matchable(text)) == matchable(text) == matchable(once)
    assert readable(readable(text)) == readable(text)
