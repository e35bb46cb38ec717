"""The page of the raw approach."""

from ui.ask.page import approach_page

approach_page("raw")
