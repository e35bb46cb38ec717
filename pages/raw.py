"""The page of the raw approach."""

from ui.approach_page import approach_page

approach_page("raw")
