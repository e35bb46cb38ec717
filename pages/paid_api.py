"""The page of the paid_api approach, for each of its connections."""

from backends.remote.connections import approach_of
from ui.approaches import look_of
from ui.ask.page import ask_section
from ui.paid_api.connections import chosen_connection
from ui.resources import settings
from ui.shell import open_page

look = look_of("paid_api")
open_page(look.name, look.what)
ask_section(approach_of(chosen_connection(settings())))
