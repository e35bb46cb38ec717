"""The page of the fine_tuned approach: ask it, bring pairs, train on them, and see what was learned."""

from ui.approaches import look_of
from ui.ask.page import ask_section
from ui.fine_tuned.sections import chosen_section, draw_section
from ui.shell import open_page

look = look_of("fine_tuned")
open_page(look.name, look.what)
if (section := chosen_section()) == "Ask":
    ask_section("fine_tuned")
else:
    draw_section(section)
