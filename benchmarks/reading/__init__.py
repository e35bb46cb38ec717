"""Reading exercises: invented documents, questions about them, and short answers with a citation or the refusal."""
