"""The main page: one question, four approaches side by side."""

from ui.compare.page import compare_page

compare_page()
