"""How people are invited: the link on this machine, and, once the room is open, the link for others with its code."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import streamlit as st

from backends.errors import BackendError
from ui.room.served import close_room, open_room, room
from ui.shared.errors import keep_fault


def invitation(path: str, code: str, qr: bool = False) -> None:
    """Draw it for `path` (`rate` or `vote`); with `qr` as a QR code for phones as well."""
    url = urlsplit(st.context.url or "http://localhost")
    opened = room()
    if opened is None or not qr:
        st.markdown("Invite with this link, on this machine:")
        st.code(f"{url.scheme}://{url.netloc}/{path}/{code}", language=None)
    if opened is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Open for the room", key=f"{path}_room", icon=":material/wifi:", on_click=_open)
            st.caption(
                "Others on this network then reach the pages of raters and voters on a port of their own, over plain "
                "HTTP, and nothing else of this app.",
                width="stretch",
            )
        return
    st.markdown("Others on this network use:")
    links = [f"{address}/{path}/{code}" for address in opened.addresses]
    if qr and links:
        st.image(qr_code(links[0]), width=280, output_format="PNG", alt=f"QR code of the link {links[0]}")
    for link in links or ["(this machine has no address but its own)"]:
        st.code(link, language=None)
    st.button("Close the room", key=f"{path}_room_close", icon=":material/wifi_off:", on_click=close_room)


def qr_code(link: str) -> bytes:
    """A link as a QR code, a PNG on white."""
    import segno

    written = io.BytesIO()
    segno.make(link, micro=False, error="m").save(written, kind="png", scale=8, border=4)
    return written.getvalue()


def _open() -> None:
    try:
        open_room()
    except BackendError as fault:
        keep_fault(fault)
