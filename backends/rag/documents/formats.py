"""Which files are read, by their extension."""

from __future__ import annotations

from pathlib import PurePath

from backends.errors import BackendError

CODE = (
    *(".py", ".js", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go"),
    *(".rs", ".rb", ".php", ".swift", ".r", ".jl", ".lua", ".pl", ".sh", ".bash", ".ps1", ".sql", ".css", ".scss"),
    *(".json", ".yaml", ".yml", ".toml", ".xml", ".ini", ".cfg", ".proto", ".tf"),
)
"""Extensions of source code and configuration, which is read as it stands."""

FORMATS = {
    ".pdf": "pdf",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), "docx"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), "pptx"),
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".log": "text",
    ".rst": "text",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    **dict.fromkeys(CODE, "code"),
}
"""Extension -> format id."""

OFFICE = frozenset({"docx", "pptx", "xlsx"})
"""Formats that are zip files of XML."""

MARKDOWN_LIKE = frozenset({"markdown", "html", *OFFICE})
"""Formats whose extracted text has Markdown headings."""

READERS = {"pdf": 1, "docx": 1, "pptx": 1, "xlsx": 1, "html": 1}
"""Format id -> version of what makes its text, 0 for the others: raised when the same file gives another text."""

SUPPORTED = "PDF, DOCX, PPTX, XLSX, HTML, Markdown, TXT, CSV, JSONL or source code"
"""What is read, in words."""


def extension_of(name: str) -> str:
    """The extension of a file name, in lower case with its dot; "" if it has none."""
    return PurePath(name).suffix.lower()


def format_of(name: str) -> str:
    """The format id that a file name promises. Raises `BackendError` if it is not supported."""
    extension = extension_of(name)
    if extension not in FORMATS:
        what = f"Files of the type {extension}" if extension else "Files without an extension"
        raise BackendError(f"{what} are not supported.", f"Save it as {SUPPORTED}.")
    return FORMATS[extension]
