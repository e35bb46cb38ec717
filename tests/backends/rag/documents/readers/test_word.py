"""What is read of a Word document beside plain paragraphs, and what is said about the rest."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.rag.documents.readers.word_files import (
    SPACES,
    cell,
    drawing,
    field,
    p,
    r,
    relation,
    row,
    rows,
    text_of,
    warnings_of,
    word_file,
)

TRACKED = "The document has tracked changes: it was read as if all of them were accepted."
TABLE = "1 table was flattened into lines of text: layout is lost, merged cells are repeated."


def test_tracked_changes_are_read_as_accepted_and_moved_text_at_its_new_place() -> None:
    data = word_file(
        p("Term: ", raw=f"<w:del>{r('12')}</w:del><w:ins>{r('24')}</w:ins>{r(' months.')}")
        + p(raw=f"<w:moveFrom>{r('Moved here.')}</w:moveFrom>", properties="<w:rPr><w:moveFrom/></w:rPr>")
        + p("Between.")
        + p(raw=f"<w:moveTo>{r('Moved here.')}</w:moveTo>")
        + f"<w:ins>{p('A new paragraph.')}</w:ins>"
        + rows(
            row(cell("old fee"), cell("40"), properties="<w:del/>"),
            row(cell("fee"), cell("55"), properties="<w:ins/>"),
            row(cell("tax"), cell("gone", "<w:cellDel/>"), cell("5")),
        )
    )
    assert text_of(data) == (
        "Term: 24 months.\n\nBetween.\n\nMoved here.\n\nA new paragraph.\n\n| fee | 55 |\n| --- | --- |\n| tax | 5 |"
    )
    assert warnings_of(data) == (TABLE, TRACKED)


def test_a_paragraph_whose_end_was_deleted_goes_on_with_the_next() -> None:
    data = word_file(p("Payment is due ", "<w:rPr><w:del/></w:rPr>") + p("in 14 days."))
    assert text_of(data) == "Payment is due in 14 days."


def test_page_headers_and_footers_are_read_once_and_only_those_that_are_shown() -> None:
    section = "".join(
        f'<w:{kind}Reference w:type="{which}" r:id="{name}"/>'
        for kind, which, name in (
            ("header", "default", "header1"),
            ("header", "first", "header2"),
            ("header", "even", "header3"),
            ("footer", "default", "footer1"),
        )
    )
    first = f"<w:sectPr>{section}<w:titlePg/></w:sectPr>"
    pages = r("Page ") + field(" PAGE ", "1") + r(" of ") + field(" NUMPAGES ", "12")
    data = word_file(
        p("One.", first) + p("Two.") + f"<w:sectPr>{section}</w:sectPr>",
        header1=rows(row(cell("ED-114"), cell("Revision C"))),
        header2=p("Cover"),
        header3=p("Even pages"),
        footer1=p(raw=pages),
    )
    assert text_of(data) == (
        "Page header: ED-114, Revision C\nPage header: Cover\nPage footer: Page of 12\n\nOne.\n\nTwo."
    )


def test_a_watermark_is_read_with_the_header_that_holds_it() -> None:
    mark = p(raw='<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>')
    data = word_file(
        p("Text.") + '<w:sectPr><w:headerReference w:type="default" r:id="header1"/></w:sectPr>', header1=mark
    )
    assert text_of(data) == "Page header: DRAFT\n\nText."


def test_superscripts_stay_apart_from_the_number_before_and_subscripts_do_not_break_words() -> None:
    up, down = "<w:vertAlign w:val='superscript'/>", "<w:vertAlign w:val='subscript'/>"
    style = (
        '<w:style w:type="character" w:styleId="Up"><w:name w:val="Up"/>'
        '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>'
    )
    pieces = (
        *(r("10"), r("6", up), r(" bar, 10"), r("-3", up), r(" m"), r("2", "<w:position w:val='6'/>"), r(", x")),
        *(
            r("n+1", up),
            r(", H"),
            r("2", down),
            r("O, 101"),
            r("2", down),
            r(", 1"),
            r("st", up),
            r(" 5"),
            r("3", "<w:rStyle w:val='Up'/>"),
        ),
    )
    assert text_of(word_file(p(raw="".join(pieces)), styles=style)) == (
        "10^6 bar, 10^-3 m^2, x^(n+1), H2O, 101_2, 1st 5^3"
    )


def test_a_text_box_is_read_once_after_its_paragraph() -> None:
    box = f"<w:txbxContent>{p('In the box')}</w:txbxContent>"
    new = drawing(f"<wps:wsp><wps:txbx>{box}</wps:txbx></wps:wsp>")
    old = f"<w:pict><v:shape><v:textbox>{box}</v:textbox></v:shape></w:pict>"
    both = f"<mc:AlternateContent><mc:Choice>{new}</mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>"
    assert text_of(word_file(p("Before", raw=f"<w:r>{both}</w:r>{r(' and after')}"))) == (
        "Before and after\n\nIn the box"
    )
    assert text_of(word_file(p("Old", raw=f"<w:r>{old}</w:r>"))) == "Old\n\nIn the box"


def test_content_controls_are_read_but_not_what_asks_for_content() -> None:
    prompt = f"<w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{r('Click here')}</w:sdtContent>"
    data = word_file(
        p("Type: ", raw=f"<w:sdt><w:sdtContent>{r('safety data sheet')}</w:sdtContent></w:sdt><w:sdt>{prompt}</w:sdt>")
        + f"<w:sdt><w:sdtContent>{p('Class 3.')}</w:sdtContent></w:sdt>"
        + f"<w:customXml>{p('Wrapped.')}</w:customXml>"
        + rows(row(cell("Flash point"), f"<w:sdt><w:sdtContent>{cell('61 degrees')}</w:sdtContent></w:sdt>"))
    )
    assert text_of(data) == (
        "Type: safety data sheet\n\nClass 3.\n\nWrapped.\n\n| Flash point | 61 degrees |\n| --- | --- |"
    )
    assert warnings_of(data) == (TABLE, "1 field is not filled in: the text in it was left out.")


def test_notes_stand_behind_the_paragraph_that_refers_to_them() -> None:
    note = p(raw="<w:r><w:footnoteRef/></w:r>" + r(" Batteries: 6 months."))
    data = word_file(
        p(
            "24 months",
            raw='<w:r><w:footnoteReference w:id="2"/></w:r>'
            + r(" or 5 years")
            + '<w:r><w:endnoteReference w:id="7"/></w:r>',
        )
        + p("After."),
        footnotes=f'<w:footnote w:id="2">{note}</w:footnote>',
        endnotes=f'<w:endnote w:id="7">{p("By law.")}</w:endnote>',
    )
    assert text_of(data) == "24 months[1] or 5 years[i]\n\n[1] Batteries: 6 months.\n\n[i] By law.\n\nAfter."


def test_comments_are_read_at_the_end_with_what_they_are_about() -> None:
    marked = f'<w:commentRangeStart w:id="0"/>{r("40 euros")}<w:commentRangeEnd w:id="0"/>'
    data = word_file(
        p("The fee is ", raw=f'{marked}<w:r><w:commentReference w:id="0"/></w:r>{r(".")}'),
        comments=f'<w:comment w:id="0" w:author="Ann Lee">{p("Check this")}</w:comment>',
    )
    assert text_of(data) == "The fee is 40 euros.\n\n## Comments\n\n- Ann Lee on “40 euros”: Check this"
    assert warnings_of(data) == ("1 comment was read, at the end of the text.",)


def test_hidden_text_is_left_out_and_named() -> None:
    style = (
        '<w:style w:type="character" w:styleId="Internal"><w:name w:val="Internal"/>'
        "<w:rPr><w:vanish/></w:rPr></w:style>"
    )
    runs = (
        r("36 months"),
        r(" draft: 12 months", "<w:vanish/>"),
        r(" by style", "<w:rStyle w:val='Internal'/>"),
        r(" shown", "<w:vanish w:val='0'/>"),
    )
    data = word_file(p(raw="".join(runs)), styles=style)
    assert text_of(data) == "36 months shown"
    assert warnings_of(data) == ("Hidden text was left out: “draft: 12 months”, “by style”.",)


def test_fields_give_their_result_and_never_their_code() -> None:
    ticked = "<w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData>"
    box = f'<w:r><w:fldChar w:fldCharType="begin">{ticked}</w:fldChar></w:r>'
    end = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    nested = field(" REF a ", "Annex B")
    data = word_file(
        p("See ", raw=nested + r(", ") + field(' HYPERLINK "https://a.example/x" ', "the shop") + r(", ") + box + end)
        + p(raw=f'<w:fldSimple w:instr="DATE">{r("1 May 2026")}</w:fldSimple>')
        + p(raw='<w:r><w:fldChar w:fldCharType="begin"/></w:r>')
        + p("Not lost after a field without an end.")
    )
    assert text_of(data) == (
        "See Annex B, [the shop](https://a.example/x), ☒\n\n1 May 2026\n\nNot lost after a field without an end."
    )


def test_characters_of_symbol_fonts_are_read_or_named() -> None:
    def sign(font: str, code: str) -> str:
        return f'<w:r><w:sym w:font="{font}" w:char="{code}"/></w:r>'

    data = word_file(
        p("5 ", raw=sign("Symbol", "F0B1") + r("2 m") + sign("Wingdings", "F0FE") + sign("Unknown", "F041"))
        + p(
            "GK",
            raw="<w:r><w:noBreakHyphen/></w:r>"
            + r("2207")
            + "<w:r><w:tab/></w:r>"
            + r("49")
            + "<w:r><w:br/></w:r>"
            + r("new line"),
        )
        + p(raw=r("20 \uf0b0C", "<w:rFonts w:ascii='Symbol'/>"))
    )
    assert text_of(data) == "5 ±2 m☑\ufffd\n\nGK-2207\t49\nnew line\n\n20 °C"
    assert warnings_of(data) == ("1 character of a symbol font could not be read and became \ufffd: Unknown.",)


def test_emphasis_is_kept_and_struck_text_is_marked() -> None:
    runs = (
        r("Now "),
        r("55 ", "<w:b/>"),
        r("euros", "<w:b/>"),
        r(" "),
        r("40", "<w:strike/>"),
        r(" w"),
        r("or", "<w:b/>"),
        r("d"),
    )
    assert text_of(word_file(p(raw="".join(runs)))) == "Now **55 euros** ~~40~~ word"


def test_pictures_charts_diagrams_and_objects_are_described_read_or_named() -> None:
    chart = (
        f"<c:chartSpace {SPACES}><c:chart><c:plotArea><c:scatterChart><c:ser><c:tx><c:v>Flow</c:v></c:tx>"
        '<c:xVal><c:numLit><c:pt idx="0"><c:v>1</c:v></c:pt></c:numLit></c:xVal>'
        '<c:yVal><c:numLit><c:pt idx="0"><c:v>0.30000000000000004</c:v></c:pt></c:numLit></c:yVal>'
        "</c:ser></c:scatterChart></c:plotArea></c:chart></c:chartSpace>"
    )
    point = '<dgm:pt modelId="{}"><dgm:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>'
    diagram = (
        f'<dgm:dataModel {SPACES}><dgm:ptLst><dgm:pt modelId="0" type="doc"/>{point.format(3, "below")}'
        f"{point.format(2, 'second')}{point.format(1, 'first')}</dgm:ptLst><dgm:cxnLst>"
        '<dgm:cxn srcId="0" destId="2" srcOrd="1"/><dgm:cxn srcId="0" destId="1" srcOrd="0"/>'
        '<dgm:cxn srcId="1" destId="3" srcOrd="0"/></dgm:cxnLst></dgm:dataModel>'
    )
    pictures = (
        drawing("<pic:pic/>", "A pump"),
        drawing("<pic:pic/>"),
        drawing('<c:chart r:id="c1"/>'),
        drawing('<dgm:relIds r:dm="d1"/>'),
        drawing('<c:chart r:id="missing"/>'),
        '<w:object><v:shape><v:imagedata/></v:shape><o:OLEObject ProgID="Excel.Sheet.12"/></w:object>',
    )
    data = word_file(
        p("Figures", raw="".join(f"<w:r>{one}</w:r>" for one in pictures)),
        others={"word/c.xml": chart.encode(), "word/d.xml": diagram.encode()},
        links=relation("c1", "chart", "c.xml") + relation("d1", "diagramData", "/word/d.xml"),
    )
    assert text_of(data) == (
        "Figures\n\nA pump\n\n|  | Flow |\n| --- | --- |\n| 1 | 0.3 |\n\n- first\n  - below\n- second"
    )
    assert warnings_of(data) == (
        "1 picture has no description: what is in them was not read.",
        "2 embedded objects were not read: a chart, Excel.Sheet.12.",
    )


def test_inserted_web_pages_are_read_and_other_files_named() -> None:
    data = word_file(
        p("Own.") + '<w:altChunk r:id="a1"/><w:altChunk r:id="a2"/>',
        others={"word/a.htm": b"<h2>Inserted</h2><p>10<sup>6</sup>", "word/b.rtf": b"{\\rtf1 text}"},
        links=relation("a1", "aFChunk", "a.htm") + relation("a2", "aFChunk", "b.rtf"),
    )
    assert text_of(data) == "Own.\n\n## Inserted\n\n10^6"
    assert warnings_of(data) == ("1 embedded object was not read: a file that was inserted.",)


def test_the_strict_variant_of_the_format_is_read_alike() -> None:
    data = word_file(p("10", raw=r("6", "<w:vertAlign w:val='superscript'/>")))
    strict = word_file("", others={"word/document.xml": _strict(data)})
    assert text_of(strict) == "10^6"


def _strict(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read("word/document.xml")
    return xml.replace(
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
    )


def test_a_damaged_part_beside_the_document_is_named() -> None:
    data = word_file(
        p("Text."), others={"word/comments.xml": b"<w:comm"}, links=relation("c", "comments", "comments.xml")
    )
    assert text_of(data) == "Text."
    assert warnings_of(data) == ("These parts of the file could not be read: word/comments.xml.",)


def test_readings_of_east_asian_words_stand_behind_them() -> None:
    ruby = f"<w:ruby><w:rt>{r('かんじ')}</w:rt><w:rubyBase>{r('漢字')}</w:rubyBase></w:ruby>"
    assert text_of(word_file(p(raw=f"<w:r>{ruby}</w:r>"))) == "漢字(かんじ)"


INLINE = {
    "ins": "<w:ins>{}</w:ins>",
    "moveTo": "<w:moveTo>{}</w:moveTo>",
    "sdt": "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>",
    "smartTag": "<w:smartTag>{}</w:smartTag>",
    "customXml": "<w:customXml>{}</w:customXml>",
    "hyperlink": '<w:hyperlink r:id="none">{}</w:hyperlink>',
    "field": '<w:fldSimple w:instr="REF a">{}</w:fldSimple>',
    "direction": '<w:dir w:val="rtl">{}</w:dir>',
    "unknown": "<w:unknown>{}</w:unknown>",
    "choice": "<mc:AlternateContent><mc:Choice>{}</mc:Choice><mc:Fallback>{}</mc:Fallback></mc:AlternateContent>",
}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(sorted(INLINE)), max_size=4), max_size=6), st.booleans())
def test_text_is_read_once_whatever_is_around_it(wrappers: list[list[str]], in_table: bool) -> None:
    body = ""
    for number, around in enumerate(wrappers):
        piece = r(f"word{number}x ")
        for name in around:
            piece = INLINE[name].replace("{}", piece)
        body += p(raw=piece)
    text = text_of(word_file(p("start") + (rows(row(cell("a"), cell(body or p()))) if in_table else body)))
    assert [text.count(f"word{number}x") for number in range(len(wrappers))] == [1] * len(wrappers)


def test_a_large_first_letter_belongs_to_its_paragraph() -> None:
    data = word_file(p("O", properties='<w:framePr w:dropCap="drop" w:lines="3"/>') + p("nce upon a time.") + p("End."))
    assert text_of(data) == "Once upon a time.\n\nEnd."


def test_text_that_only_the_fallback_of_a_drawing_holds_is_read() -> None:
    empty = "<w:drawing><wp:inline><wp:docPr id='1' name='x'/></wp:inline></w:drawing>"
    old = f"<w:pict><v:shape><v:textbox><w:txbxContent>{p('Keep dry.')}</w:txbxContent></v:textbox></v:shape></w:pict>"
    both = f"<mc:Choice Requires='wpc'>{empty}</mc:Choice><mc:Fallback>{old}</mc:Fallback>"
    data = word_file(p("Care", raw=f"<w:r><mc:AlternateContent>{both}</mc:AlternateContent></w:r>"))
    assert text_of(data) == "Care\n\nKeep dry."


def test_text_of_shapes_that_came_from_another_program_is_read() -> None:
    body = "<a:txBody><a:bodyPr/><a:p><a:r><a:t>Inlet valve</a:t></a:r></a:p></a:txBody>"
    data = word_file(p("Figure", raw=f"<w:r>{drawing(f'<a:sp><a:txSp>{body}</a:txSp></a:sp>')}</w:r>"))
    assert text_of(data) == "Figure\n\nInlet valve"
