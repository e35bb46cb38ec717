"""One file per migration; `down_revision` says which one goes before it."""
