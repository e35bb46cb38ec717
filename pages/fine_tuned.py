"""The page of the fine_tuned approach."""

from ui.shell import draw_page

draw_page("fine_tuned")
