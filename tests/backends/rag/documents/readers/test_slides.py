"""What is read of slides beside titles and lines of text."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pptx
import pytest
from lxml import etree
from pptx.chart.data import XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.util import Inches

from backends.rag.documents.formats import format_of
from backends.rag.documents.readers import read
from backends.rag.documents.readers.reading import Reading

OFFICE = "http://schemas.openxmlformats.org"
RELATIONS = f"{OFFICE}/officeDocument/2006/relationships"
SPACES = (
    f'xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:r="{RELATIONS}" '
    f'xmlns:mc="{OFFICE}/markup-compatibility/2006" xmlns:m="{OFFICE}/officeDocument/2006/math" '
    f'xmlns:dgm="{OFFICE}/drawingml/2006/diagram" xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" '
    'xmlns:p188="http://schemas.microsoft.com/office/powerpoint/2018/8/main"'
)
TABLE = "1 table was flattened into lines of text: layout is lost, merged cells are repeated."


def deck_with(title: str = "") -> tuple[Any, Any]:
    """A presentation and its only slide."""
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = title
    return deck, slide


def reading_of(deck: Any) -> Reading:
    out = io.BytesIO()
    deck.save(out)
    return read(out.getvalue(), "pptx")


def shape(inside: str, placeholder: str = "", properties: str = "") -> str:
    return (
        f'<p:sp {SPACES}><p:nvSpPr><p:cNvPr id="77" name="x"{properties}/><p:cNvSpPr/><p:nvPr>{placeholder}</p:nvPr>'
        f"</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p>{inside}</a:p></p:txBody></p:sp>"
    )


def run(text: str) -> str:
    return f"<a:r><a:t>{text}</a:t></a:r>"


def add(slide: Any, xml: str) -> None:
    slide.shapes._spTree.append(etree.fromstring(xml))


def part(slide_or_deck: Any, name: str, kind: str, xml: str) -> str:
    """Give a slide a part of its own; returns the id of the relation."""
    package = slide_or_deck.part.package
    made = Part(PackURI(name), "application/xml", package, xml.encode())
    return str(slide_or_deck.part.relate_to(made, kind))


def test_the_points_of_a_diagram_are_read_as_they_are_nested() -> None:
    deck, slide = deck_with("Process")
    point = '<dgm:pt modelId="{}"><dgm:t><a:bodyPr/><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>'
    link = '<dgm:cxn srcId="{}" destId="{}" srcOrd="{}"/>'
    data = (
        f'<dgm:dataModel {SPACES}><dgm:ptLst><dgm:pt modelId="0" type="doc"/>{point.format(2, "Send report")}'
        f"{point.format(1, 'Inspect pump')}{point.format(3, 'within 48 hours')}{point.format(9, 'not linked')}"
        f'<dgm:pt modelId="8" type="pres"/></dgm:ptLst><dgm:cxnLst>{link.format(0, 1, 0)}{link.format(0, 2, 1)}'
        f"{link.format(1, 3, 0)}{link.format(3, 1, 0)}</dgm:cxnLst></dgm:dataModel>"
    )
    relation = part(slide, "/ppt/diagrams/data1.xml", f"{RELATIONS}/diagramData", data)
    frame = (
        f'<p:graphicFrame {SPACES}><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/><p:cNvGraphicFramePr/><p:nvPr/>'
        '</p:nvGraphicFramePr><p:xfrm><a:off x="0" y="0"/><a:ext cx="1" cy="1"/></p:xfrm><a:graphic>'
        f'<a:graphicData uri="{OFFICE}/drawingml/2006/diagram"><dgm:relIds r:dm="{{}}"/></a:graphicData>'
        "</a:graphic></p:graphicFrame>"
    )
    add(slide, frame.format(relation))
    add(slide, frame.format("rId404"))
    reading = reading_of(deck)
    assert reading.pages == ((1, "# Process\n\n- Inspect pump\n  - within 48 hours\n- Send report\n- not linked"),)
    assert reading.warnings == ("1 embedded object was not read: a diagram.",)


def test_text_in_groups_within_groups_is_read_and_hidden_shapes_are_named() -> None:
    deck, slide = deck_with("Assembly")
    inner = slide.shapes.add_group_shape().shapes.add_group_shape().shapes
    inner.add_textbox(0, 0, 9, 9).text_frame.text = "Fit the gasket"
    add(slide, shape(run("secret 12"), properties=' hidden="1"'))
    reading = reading_of(deck)
    assert reading.pages == ((1, "# Assembly\n\nFit the gasket"),)
    assert reading.warnings == ("Hidden shapes were left out: “secret 12”.",)


def test_raised_text_and_equations_keep_their_meaning() -> None:
    deck, slide = deck_with()
    up, down = '<a:rPr baseline="30000"/>', '<a:rPr baseline="-25000"/>'
    add(
        slide,
        shape(f"{run('10')}<a:r>{up}<a:t>6</a:t></a:r>{run(' cycles, H')}<a:r>{down}<a:t>2</a:t></a:r>{run('O')}"),
    )
    math = (
        "<m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>"
    )
    choice = f"<mc:Choice Requires='a14'>{shape(run('Area ') + f'<a14:m>{math}</a14:m>')}</mc:Choice>"
    old = f"<mc:Fallback>{shape(run('a picture'))}</mc:Fallback>"
    add(slide, f"<mc:AlternateContent {SPACES}>{choice}{old}</mc:AlternateContent>")
    assert reading_of(deck).pages == ((1, "10^6 cycles, H2O\n\nArea $x^{2}$"),)


def test_merged_cells_are_repeated_in_both_directions() -> None:
    deck, slide = deck_with()
    cells = slide.shapes.add_table(3, 3, 0, 0, Inches(3), Inches(1)).table
    for place, text in {
        (0, 0): "Type",
        (0, 1): "Load",
        (1, 0): "A",
        (1, 1): "1",
        (1, 2): "2",
        (2, 1): "3",
        (2, 2): "4",
    }.items():
        cells.cell(*place).text = text
    cells.cell(0, 1).merge(cells.cell(0, 2))
    cells.cell(1, 0).merge(cells.cell(2, 0))
    reading = reading_of(deck)
    assert reading.pages == ((1, "| Type | Load | Load |\n| --- | --- | --- |\n| A | 1 | 2 |\n| A | 3 | 4 |"),)
    assert reading.warnings == (TABLE,)


def test_charts_without_categories_give_their_data() -> None:
    deck, slide = deck_with()
    data = XyChartData()
    flow = data.add_series("Flow")
    flow.add_data_point(1, 10)
    flow.add_data_point(2, 20.5)
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, 0, Inches(3), Inches(2), data)
    assert reading_of(deck).pages == ((1, "|  | Flow |\n| --- | --- |\n| 1 | 10 |\n| 2 | 20.5 |"),)


def test_what_stands_on_every_slide_is_read_once() -> None:
    deck, slide = deck_with("One")
    again = deck.slides.add_slide(deck.slide_layouts[5])
    again.shapes.title.text = "Two"
    for one in (slide, again):
        add(one, shape(run("ED-114, revision C"), '<p:ph type="ftr" idx="11" sz="quarter"/>'))
        add(one, shape('<a:fld id="{A}" type="slidenum"><a:t>7</a:t></a:fld>', '<p:ph type="sldNum" idx="12"/>'))
    add(deck.slide_layouts[5], shape(run("Confidential")))
    assert reading_of(deck).pages == (
        (1, "# One\n\nSlide footer: ED-114, revision C\n\nConfidential"),
        (2, "# Two"),
    )


def test_comments_of_both_kinds_are_read_with_their_answers() -> None:
    deck, slide = deck_with("One")
    part(
        deck,
        "/ppt/commentAuthors.xml",
        f"{RELATIONS}/commentAuthors",
        f'<p:cmAuthorLst {SPACES}><p:cmAuthor id="0" name="Ann Lee"/></p:cmAuthorLst>',
    )
    part(
        slide,
        "/ppt/comments/comment1.xml",
        f"{RELATIONS}/comments",
        f'<p:cmLst {SPACES}><p:cm authorId="0"><p:text>Check this</p:text></p:cm></p:cmLst>',
    )
    body = "<p188:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p188:txBody>"
    answer = f"<p188:replyLst><p188:reply>{body.format('Done')}</p188:reply></p188:replyLst>"
    modern = f"<p188:cm>{body.format('Newer')}{answer}</p188:cm>"
    kind = "http://schemas.microsoft.com/office/2018/10/relationships/comments"
    part(slide, "/ppt/comments/modern1.xml", kind, f"<p188:cmLst {SPACES}>{modern}</p188:cmLst>")
    reading = reading_of(deck)
    assert reading.pages == ((1, "# One\n\n## Comments\n\n- Ann Lee: Check this\n- Newer\n- Done"),)
    assert reading.warnings == ("3 comments were read too.",)


def test_pictures_without_a_description_are_counted() -> None:
    from tests.backends.rag.documents.test_readers import saved_image

    deck, slide = deck_with("One")
    picture = slide.shapes.add_picture(io.BytesIO(saved_image()), 0, 0)
    picture._element.nvPicPr.cNvPr.attrib.pop("descr", None)
    assert reading_of(deck).warnings == ("1 picture has no description: what is in them was not read.",)


@pytest.mark.parametrize(("name", "kind"), [("a.ppsx", b"slideshow"), ("a.potx", b"template")])
def test_slide_shows_and_templates_are_presentations(name: str, kind: bytes) -> None:
    deck, _ = deck_with("One")
    out = io.BytesIO()
    deck.save(out)
    copy = io.BytesIO()
    with zipfile.ZipFile(out) as archive, zipfile.ZipFile(copy, "w") as other:
        for one in archive.namelist():
            data = archive.read(one).replace(b"presentation.main+xml", kind + b".main+xml")
            other.writestr(one, data)
    assert read(copy.getvalue(), format_of(name)).pages == ((1, "# One"),)
