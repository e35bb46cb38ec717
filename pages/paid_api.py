"""The page of the paid_api approach."""

from ui.shell import draw_page

draw_page("paid_api")
