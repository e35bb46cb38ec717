"""What each approach costs in a month, from when on what is cheaper, and what was spent so far."""

from ui.costs.page import costs_page

costs_page()
