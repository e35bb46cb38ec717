"""How what is seen of a web page is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.rag.documents.readers import read
from backends.rag.documents.readers.html import to_markdown


def text_of(html: str) -> str:
    return to_markdown(html)[0]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup> and 5 x 10<sup>-3</sup>", "10^6 and 5 x 10^-3"),
        ("x<sup>n+1</sup>", "x^(n+1)"),
        ("the 1<sup>st</sup>", "the 1st"),
        ("H<sub>2</sub>O and CO<sub>2</sub>", "H2O and CO2"),
        ("101<sub>2</sub>", "101_2"),
        ('a fact<sup><a href="#fn1">1</a></sup>', "a fact[1]"),
        ('m<span style="vertical-align: super">2</span>', "m^2"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math>", "10^6"),
        ("<math><mfrac><mn>1</mn><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfrac></math>", "1/(a+b)"),
        (
            '<span class="katex"><math><mi>E</mi><annotation encoding="application/x-tex">E=mc^2</annotation></math>'
            '<span class="katex-html" aria-hidden="true">E=mc2</span></span>',
            "$E=mc^2$",
        ),
        ('<span class="MathJax">x2</span><script type="math/tex">x^2</script>', "$x^2$"),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", "漢字(かんじ)"),
    ],
)
def test_raised_and_lowered_text_and_formulas(html: str, text: str) -> None:
    assert text_of(f"<p>{html}</p>") == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol start=4><li>four<li value=9>nine<li>ten</ol>", "4. four\n9. nine\n10. ten"),
        ("<ol reversed><li>x<li>y</ol>", "2. x\n1. y"),
        ("<ol type=I start=3><li>three</ol>", "III. three"),
        ("<ol type=a start=27><li>aa</ol>", "aa. aa"),
        ('<ol style="list-style-type: lower-roman"><li>r</ol>', "i. r"),
        ("<ol><li>a<ol type=a><li>b</ol><li>c</ol>", "1. a\n   a. b\n2. c"),
        ("<ul><li>a<ul><li>b</ul><li><p>p<p>q</ul>", "- a\n  - b\n- p\n\n  q"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n  - b"),
    ],
)
def test_lists_have_the_numbers_that_a_browser_shows(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<table><caption>Loads<thead><tr><th rowspan=2>Type<th colspan=2>Load<tr><th>min<th>max"
            "<tbody><tr><td>A<td rowspan=0>1<td>2<tr><td>B<td>3</table>",
            "Loads\n\n| Type | Load | Load |\n| --- | --- | --- |\n| Type | min | max |\n| A | 1 | 2 |\n| B | 1 | 3 |",
        ),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "| a | b |\n| --- | --- |\n| c |  |"),
        ("<table><tr><td>one<tr><td>two</table>", "one\n\ntwo"),
        ("<table role=presentation><tr><td><h2>L</h2><p>p<td>R</table>", "## L\n\np\n\nR"),
        (
            "<table><tr><th>o<td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>",
            "| o | a, b; c, d |\n| --- | --- |",
        ),
        ("<table><tr><td>o<td><table><tr><td>a<td>b</table></table>", "o\n\n| a | b |\n| --- | --- |"),
        ("<table><tr><td><h2>L</h2>l<td><h2>R</h2>r</table>", "## L\n\nl\n\n## R\n\nr"),
        ("<table><tr><td>x|y<td><ul><li>p<li>q</ul></table>", "| x\\|y | p, q |\n| --- | --- |"),
        ("<table><tr><td colspan=99999999999>a<td>b</table>", "| a | b |\n| --- | --- |"),
    ],
)
def test_tables_keep_every_value_under_its_head(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<dl><dt>Flash point</dt><dd>61 degrees</dd></dl>", "Flash point\n:   61 degrees"),
        ("<pre>def f():\n    return  1\n</pre>", "```\ndef f():\n    return  1\n```"),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
        ("<p>use <code>x  y</code> and <kbd>Ctrl</kbd>", "use `x y` and `Ctrl`"),
        ("<blockquote><p>said<p>twice</blockquote>", "> said\n>\n> twice"),
        ("<p>now 55 <del>40</del> euros", "now 55 ~~40~~ euros"),
        ("<p>a<br>b", "a\nb"),
        ("<figure><img alt='A  pump'><figcaption>Figure 1</figcaption></figure>", "A pump\n\nFigure 1"),
        ("<a href='https://a.example/'><h3>Card</h3><p>text</p></a>", "### Card\n\ntext"),
        (
            "<label>Name<input value='Acme'></label><input type=checkbox checked>yes<input type=hidden value=h>",
            "Name Acme ☒ yes",
        ),
        ("<select><option>Red<option>Green</select><button>A</button><button>B</button>", "Red Green A B"),
        ("<h2>Two<br>lines</h2>", "## Two lines"),
        ("just <b>bold</b>ness &lt;b&gt;", "just **bold**ness <b>"),
    ],
)
def test_other_elements(html: str, text: str) -> None:
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("start", "codec"),
    [
        ('<meta charset="gb2312">', "gb18030"),
        ('<?xml version="1.0" encoding="Shift_JIS"?>', "cp932"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
    ],
)
def test_the_encoding_that_a_page_names_is_used_as_browsers_do(start: str, codec: str) -> None:
    words = {"gb18030": "保修期为三年", "cp932": "保証期間は三年です", "cp1251": "Гарантия три года"}[codec]
    reading = read(f"{start}<p>{words}".encode(codec), "html")
    assert (reading.pages, reading.warnings) == (((None, words),), ())


TAGS = ("p", "div", "b", "sup", "table", "tr", "td rowspan=2", "td colspan=3", "ol start=3", "li", "pre", "nav", "main")
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS]),
    st.sampled_from([f"</{tag.split()[0]}>" for tag in TAGS]),
    st.sampled_from(
        ["<p hidden>", "<br>", "<a href='https://a.example/'>", "<!--", "<svg>", "&amp;", "&#0;", "\x00", "<style>"]
    ),
    st.text(max_size=5),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_a_page_is_read_whatever_is_in_it_and_never_gives_more_than_it_holds(pieces: list[str]) -> None:
    marked = "".join(f"{piece} word{number}x " for number, piece in enumerate(pieces))
    text, warnings = to_markdown(marked)
    assert all(f"word{number}x" in marked for number in range(len(pieces)))
    words = {word.strip("*|^()`[]") for word in text.split() if word.strip("*|^()`[]").startswith("word")}
    assert all(any(word.startswith(f"word{number}x") for number in range(len(pieces))) for word in words)
    assert all(warning.endswith(".") for warning in warnings)


BLOCKS = (
    "p",
    "b",
    "div",
    "td",
    "tr",
    "tbody",
    "table",
    "caption",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "h2",
    "pre",
    "a",
    "sup",
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([f"<{mark}{tag}>" for tag in BLOCKS for mark in ("", "", "/")]), max_size=25))
def test_no_visible_word_is_lost(pieces: list[str]) -> None:
    text, _ = to_markdown("".join(f"{piece} word{number}x " for number, piece in enumerate(pieces)))
    assert [number for number in range(len(pieces)) if f"word{number}x" not in text] == []
