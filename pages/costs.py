"""What each approach costs in a month, from when on what is cheaper, and what was spent so far."""

from ui.costs.sections import draw_sections
from ui.shell import open_page

open_page("Costs", "From how many questions a month on is a local model cheaper, and what does a right answer cost?")
draw_sections()
