"""A key fact is found in whatever spelling, and never in another number, code or word."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.facts import contains_fact, contains_prepared_fact
from backends.matching import matchable


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("1200 kg", "It is 1,200 kg."),
        ("1,200 kg", "It is 1 200 kg."),
        ("1,200", "It is 1\u202f200."),
        ("1200", "Das sind 1'200 Franken"),
        ("1200", "Das kostet 1.200 \u20ac"),
        ("1.200 \u20ac", "Das kostet 1200 \u20ac"),
        ("1200", "Die Maschine wiegt 1.200 kg und ist rot"),
        ("1200.50", "1.200,50 EUR"),
        ("120000", "1,20,000 rupees"),
        ("1200", "\u0661\u066c\u0662\u0660\u0660"),
        ("36 months", "It is **36** months."),
        ("36 months", "It is 36months"),
        ("36 months", "a term of 36-months"),
        ("36 months", "It is \uff13\uff16 months"),
        ("36 months", "It is 36 \n months"),
        ("36", "It lasts 36months."),
        ("36", "a 36-month warranty"),
        ("5 kg", "5kg"),
        ("5kg", "5 kg"),
        ("12.5%", "12.5 %"),
        ("12.5 %", "12,5 %"),
        ("12.5%", "12\u066b5\u066a"),
        ("GK-2207", "Part GK\u20112207"),
        ("GK-2207", "part gk 2207"),
        ("GK-2207", "Part GK2207."),
        ("GK-2207", "Part GK\u22122207, please"),
        ("GK2207", "Part GK-2207"),
        ("GK-2207", "GK-\n2207"),
        ("EK-4471-B", "(EK4471B)"),
        ("8:30-17:00", "Open 8:30\u201317:00"),
        ("8:30-17:00", "Open 8:30 \u2013 17:00"),
        ("10^6", "10\u2076 cycles"),
        ("10^6", "10<sup>6</sup> cycles"),
        ("10^6", "10^{6} cycles"),
        ("5 m2", "5 m\u00b2"),
        ("5 m\u00b2", "5 m^2"),
        ("K\u00fcndigung", "die Ku\u0308ndigung"),
        ("Strasse", "STRA\u00dfE"),
        ("filter certificate", "the \ufb01lter certi\ufb01cate"),
        ("warranty", "the war-\nranty"),
        ("two-year", "a two-\nyear term"),
        ("two-year", "a two year term"),
        ("two year", "a two\u2010year term"),
        ("compressor", "com\u00adpres\u00adsor"),
        ("36\u4e2a\u6708", "\u4fdd\u4fee\u671f\u4e3a36\u4e2a\u6708\u3002"),
        ("36 \u4e2a\u6708", "\u4fdd\u4fee\u671f\u4e3a36\u4e2a\u6708\u3002"),
        ("36\u304b\u6708", "\u4fdd\u8a3c\u671f\u9593\u306f36\u304b\u6708\u3067\u3059\u3002"),
        ("36\u304b\u6708", "\u4fdd\u8a3c\u671f\u9593\u306f\uff13\uff16\u304b\u6708\u3067\u3059\u3002"),
        ("\u4fdd\u8a3c", "\u88fd\u54c1\u306e\u4fdd\u8a3c\u306f\u3042\u308a\u307e\u3059"),
        ("36\uac1c\uc6d4", "\ubcf4\uc99d \uae30\uac04\uc740 36\uac1c\uc6d4\uc785\ub2c8\ub2e4."),
        ("\ubcf4\uc99d \uae30\uac04", "\ubcf4\uc99d \uae30\uac04\uc740 \uae38\ub2e4"),
        (
            "\u0e01\u0e32\u0e23\u0e23\u0e31\u0e1a\u0e1b\u0e23\u0e30\u0e01\u0e31\u0e19",
            "\u0e21\u0e35\u0e01\u0e32\u0e23\u0e23\u0e31\u0e1a\u0e1b\u0e23\u0e30\u0e01\u0e31\u0e19 36",
        ),
        ("\u20ac12", "It costs 12 \u20ac."),
        ("12 \u20ac", "It costs \u20ac12.00."),
        ("EUR 12", "EUR12"),
        ("\u00a3449", "\u00a3449.00"),
        ("-12 \u00b0C", "It is \u221212 \u00b0C"),
        ("12", "8-12 days"),
        ("36 months", "not only 36 months but more"),
        ("not covered", "It is not covered."),
        ("no charge", "There is no charge."),
        ("36 months", "[36 months](https://a.example/x)"),
        ("1,2", "1,2"),
        ("2", "options 1,2,3"),
        ("10.5.2", "firmware 10.5.2."),
        ("C++", "in C++."),
        ("don't", "you don\u2019t"),
    ],
)
def test_the_same_in_another_spelling(fact: str, text: str) -> None:
    assert contains_fact(text, [fact])


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ("36", "360 months"),
        ("36", "136"),
        ("36", "3 6"),
        ("36", "36.5 months"),
        ("36", "36,5 Monate"),
        ("36", "1,360"),
        ("200", "1,200 kg"),
        ("200", "1 200 kg"),
        ("200", "1\u202f200 kg"),
        ("1.5", "11.5"),
        ("1.5", "1.55"),
        ("5", "1.5"),
        ("5", "costs .5"),
        ("1", "1.5"),
        ("10.5", "10.5.2"),
        ("5.2", "10.5.2"),
        ("3.1", "version 3.10"),
        ("1200", "a weight of 1.200 kg"),
        ("no", "north"),
        ("EUR 12", "EUR 120"),
        ("EUR 12", "EUR 12.50"),
        ("EUR 12", "EUR -12"),
        ("EUR 12", "EUR 12 million"),
        ("\u20ac12", "\u20ac12m"),
        ("\u20ac12", "-\u20ac12"),
        ("12 \u00b0C", "-12 \u00b0C"),
        ("12 \u00b0C", "\u221212 \u00b0C"),
        ("12", "costs (-12)"),
        ("36 months", "It is not 36 months but 24."),
        ("36 months", "It isn't 36 months."),
        ("36 months", "Es sind nicht 36 months"),
        ("refundable", "It is non-refundable."),
        ("refundable", "It is not refundable."),
        ("refundable", "nonrefundable"),
        ("can", "you can't"),
        ("can", "you can\u2019t"),
        ("36 months", "360 months"),
        ("36 months", "36 month"),
        ("5 kg", "5 kgs"),
        ("5 kg", "15kg"),
        ("5 kg", "0.5 kg"),
        ("10^6", "10^60"),
        ("10", "10\u2076 cycles"),
        ("6", "10\u2076 cycles"),
        ("106", "10\u2076 cycles"),
        ("30", "on 2024-11-30"),
        ("11", "on 30.11.2024"),
        ("8", "at 8:30"),
        ("30", "at 8:30"),
        ("2", "1/2 cup"),
        ("GK-2207", "GK-22071"),
        ("GK-2207", "GK-2270"),
        ("GK-2207", "GK-2207-B"),
        ("GK-2207", "AGK-2207"),
        ("GK-2207", "X-GK-2207"),
        ("EK-4471-B", "EK-4471-BX"),
        ("EK-4471-B", "EK-4417-B"),
        ("TO-220", "heat it to 220 degrees"),
        ("A4", "it needs a 4 mm screw"),
        ("8-10", "810"),
        ("8-10", "8 10"),
        ("e4", "E40"),
        ("36", "36k users"),
        ("36", "a 36er"),
        ("6\u4e2a\u6708", "36\u4e2a\u6708"),
        ("\u516d\u4e2a\u6708", "\u4e09\u5341\u516d\u4e2a\u6708"),
        ("\u4e09\u5341", "\u4e09\u5341\u516d"),
        ("36", "36\u4e07\u5143"),
        ("\u53ef\u4ee5\u9000\u8d27", "\u4e0d\u53ef\u4ee5\u9000\u8d27"),
        ("\u30e9\u30fc", "\u30ab\u30e9\u30fc"),
        ("\u30d0\u30b9", "\u30d0\u30b9\u30b1\u30c3\u30c8"),
        ("6\uac1c\uc6d4", "36\uac1c\uc6d4"),
        ("\uc11c\uc6b8", "\uc11c\uc6b8\uc5ed"),
        ("\u0915", "\u0915\u093f"),
        ("2 x", "2xl"),
        ("", "anything"),
    ],
)
def test_another_number_code_or_word(fact: str, text: str) -> None:
    assert not contains_fact(text, [fact])


FACTS = ["36 months", "GK-2207", "1,200 kg", "two-year warranty", "12.5 %", "8:30-17:00", "EK-4471-B", "notice period"]
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0", "\u2009", " \n "])
DASHES = st.sampled_from([*"-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d\ufe63"])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FACTS), SPACES, DASHES, st.sampled_from([str.upper, str.title, str.lower]), st.integers(0, 9))
def test_any_white_space_dash_or_case_is_the_same(fact: str, space: str, dash: str, case: object, seed: int) -> None:
    assert callable(case)
    varied = case(fact).replace("-", dash).replace(" ", space)
    cut = seed % len(varied)
    hidden = f"{varied[:cut]}\u200b{varied[cut:]}"
    assert contains_fact(f"It is {varied}.", [fact])
    assert contains_fact(f"({hidden})", [fact])
    assert contains_fact(f"**{varied}**", [fact])
    assert contains_fact(fact, [varied])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=60))
def test_it_never_raises(fact: str, text: str) -> None:
    contains_fact(text, [fact])
    assert contains_prepared_fact(matchable(text), [fact]) == contains_fact(text, [fact])
