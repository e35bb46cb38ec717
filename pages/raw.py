"""The page of the raw approach."""

from ui.shell import draw_page

draw_page("raw")
