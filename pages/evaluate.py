"""The page of evaluation runs."""

from ui.evaluate.page import evaluate_page

evaluate_page()
