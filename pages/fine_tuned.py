"""The page of the fine_tuned approach."""

from ui.approach_page import approach_page

approach_page("fine_tuned")
