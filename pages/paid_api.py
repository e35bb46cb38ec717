"""The page of the paid_api approach."""

from ui.approach_page import approach_page

approach_page("paid_api")
