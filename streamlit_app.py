"""The browser face: page configuration and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from ui.approaches import LOOKS

st.set_page_config(page_title="Crossroads", page_icon=str(Path(__file__).parent / "ui" / "icon.svg"), layout="wide")
st.navigation(
    [
        st.Page("pages/compare.py", title="Compare", icon=":material/signpost:", default=True),
        *(st.Page(f"pages/{look.approach}.py", title=look.name, icon=look.icon) for look in LOOKS.values()),
    ],
    position="top",
).run()
