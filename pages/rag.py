"""The page of the rag approach: ask it, and see what it answers from."""

from ui.approaches import look_of
from ui.ask.page import ask_section
from ui.rag.sections import chosen_section, draw_section
from ui.shell import open_page

look = look_of("rag")
open_page(look.name, look.what)
if (section := chosen_section()) == "Ask":
    ask_section("rag")
else:
    draw_section(section)
