"""The page of the rag approach."""

from ui.shell import draw_page

draw_page("rag")
