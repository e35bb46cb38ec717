"""The page of what was asked."""

from ui.history.page import history_page

history_page()
