"""The browser face: what is served, and navigation, nothing else.

`streamlit run` imports this file and serves `app`; the server then runs the file as a script for every visit.
"""

import streamlit as st

from ui.room.served import room_routes
from ui.server import GUARD, browser_opened, say_fault
from ui.shell import navigate

if __name__ == "__main__":
    navigate().run()
else:
    app = st.App(__file__, middleware=[GUARD], routes=room_routes(), lifespan=browser_opened, on_script_error=say_fault)
