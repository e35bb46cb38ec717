"""The page of the rag approach."""

from ui.approach_page import approach_page

approach_page("rag")
