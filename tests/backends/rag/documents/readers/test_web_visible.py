"""What of a web page is text that its reader sees; the rest is left out and named."""

from __future__ import annotations

from backends.rag.documents.readers.html import to_markdown

NOTHING_ELSE = "The page holds nothing but navigation, headers and footers: they were read."


def text_of(html: str) -> str:
    return to_markdown(html)[0]


def warnings_of(html: str) -> tuple[str, ...]:
    return to_markdown(html)[1]


def test_hidden_elements_navigation_footer_and_cookie_notice_are_left_out_and_named() -> None:
    page = """<title>Ember Duo</title><div class="cookie">We value your privacy. Accept all cookies</div>
    <nav><a href="/">Home</a> <a href="/shop">Shop</a></nav><main><p>The warranty is 36 months.</p>
    <p style="display: none">Old text: 12 months.</p><p hidden>Draft: 48 months.</p></main><footer>Imprint</footer>"""
    assert text_of(page) == "# Ember Duo\n\nThe warranty is 36 months."
    assert warnings_of(page) == (
        "Hidden text was left out: “Old text: 12 months.”, “Draft: 48 months.”.",
        "What frames the page was left out: request for consent “We value your privacy. Accept all cookies”, "
        "navigation “Home Shop”, footer “Imprint”.",
    )


def test_style_sheets_of_the_page_hide_by_name_class_id_and_place() -> None:
    page = """<style>/* p {display: none} */ .draft, #old {display:none} @media print {.kept {display:none}}
    @media (max-width: 600px) {.kept {display: none}} @media screen {.screen {display: none}}
    .tab {display: none} .tab.open {display: block} .box > b {visibility: hidden} main .note {display: none}
    .forced {display: none !important} a:hover {display: none}</style><style media="print">.kept {display: none}</style>
    <p class="kept">kept</p><p class="draft x">draft</p><p id="old">old</p><p class="screen">screen</p>
    <div class="tab">closed</div><div class="tab open">open</div>
    <div class="box">in <b>bold</b> <i><b>deep</b></i></div>
    <p class="note">outside</p><main><div><p class="note">within</p></div></main>
    <p class="forced" style="display: block">forced</p>"""
    assert text_of(page) == "kept\n\nopen\n\nin ***deep***\n\noutside"
    assert warnings_of(page) == ("Hidden text was left out: “draft”, “old”, “screen” and 4 more.",)


def test_an_omitted_end_tag_hides_nothing_else() -> None:
    page = "<ul><li hidden>a<li>b</ul><p hidden>x<p>y<table><tr hidden><td>1<td>2<tr><td>3<td>4</table>"
    assert text_of(page) == "- b\n\ny\n\n| 3 | 4 |\n| --- | --- |"


def test_what_is_visible_in_an_invisible_element_is_read() -> None:
    page = '<div style="visibility: hidden">gone <p style="visibility: visible">shown</p></div>'
    assert text_of(page) == "shown"
    assert warnings_of(page) == ("Hidden text was left out: “gone”.",)


def test_dialogs_templates_and_popovers_are_hidden_and_details_are_not() -> None:
    page = """<dialog>closed</dialog><dialog open>open</dialog><div popover>menu</div><template>later</template>
    <details><summary>More</summary>Inside</details><p hidden="until-found">found</p><p aria-hidden="true">drawn</p>"""
    assert text_of(page) == "open\n\nMore\n\nInside\n\nfound\n\ndrawn"
    assert warnings_of(page) == ("Hidden text was left out: “closed”, “menu”, “later”.",)


def test_a_header_within_an_article_holds_its_title() -> None:
    page = """<header><a href="/">Shop</a> Free delivery</header><main><article>
    <header><h1>Pump</h1><p>By Ann</p></header><p>Text</p>
    <aside>Tip: wear gloves</aside><footer>Revision C</footer></article></main><aside>Related</aside>"""
    assert text_of(page) == "# Pump\n\nBy Ann\n\nText\n\nTip: wear gloves\n\nRevision C"
    assert warnings_of(page) == ("What frames the page was left out: header “Shop Free delivery”, aside “Related”.",)


def test_a_page_header_with_the_only_title_is_text() -> None:
    page = '<header><h1>Manual</h1><p>Revision C</p></header><nav><a href="#a">A</a></nav><p>Body</p>'
    assert text_of(page) == "# Manual\n\nRevision C\n\nBody"


def test_frames_of_old_pages_are_known_by_their_names_and_links() -> None:
    page = """<div id="nav"><a href="/">Home</a> <a href="/s">Shop</a></div><div class="menu"><p>Soup 5 euros</p></div>
    <div id="onetrust-banner"><p>We use cookies</p><button>Accept</button></div><p>Text</p>
    <div class="cookie-recipe">Cookies: 200 g of flour</div><div class="footer">Imprint</div>
    <div role="navigation">Up</div><div role="contentinfo">Terms</div>"""
    assert text_of(page) == "Soup 5 euros\n\nText\n\nCookies: 200 g of flour"
    assert warnings_of(page) == (
        "What frames the page was left out: navigation “Home Shop”, request for consent “We use cookies Accept”, "
        "footer “Imprint”, navigation “Up”, footer “Terms”.",
    )


def test_a_page_never_becomes_empty_because_of_its_frame() -> None:
    page = '<nav><a href="/a">Manual A</a></nav><footer>Imprint</footer>'
    assert text_of(page) == "Manual A\n\nImprint"
    assert warnings_of(page) == (NOTHING_ELSE,)


def test_a_page_that_is_hidden_as_a_whole_is_read_and_named() -> None:
    page = '<body style="display: none"><div style="display: none">Text for later<noscript>Scripts!</noscript></div>'
    assert text_of(page) == "Text for later"
    assert warnings_of(page) == ("All of the page is hidden until its scripts run: it was read all the same.",)


def test_what_is_embedded_is_named() -> None:
    page = """<p>T<iframe src="x"></iframe><video src="y">no video</video><img src="a"><img src="b" alt="">
    <svg><title>icon</title></svg><svg><text>label</text></svg><object data="z">fallback</object>"""
    assert text_of(page) == "T"
    assert warnings_of(page) == (
        "1 embedded page was not read.",
        "1 recording was not read.",
        "1 drawing was not read.",
        "1 embedded object was not read.",
        "1 picture has no description: what is in them was not read.",
    )


def test_a_style_sheet_that_was_made_to_be_slow_is_not_followed_to_its_end() -> None:
    sheet = "".join(f".a .b{number % 7} .c {{display: none}}" for number in range(2_000))
    text, warnings = to_markdown(f"<style>{sheet}</style>" + "<p class='c'>x</p>" * 3)
    assert text == "x\n\nx\n\nx"
    assert warnings == ("The page has very many style rules. Not all were looked at: hidden text may be among it.",)
