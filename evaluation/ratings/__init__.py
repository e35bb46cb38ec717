"""Rating sessions: colleagues judge answers without knowing whose they are, and what that says."""
