"""A manual cut into sections and questions."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from backends.errors import BackendError
from benchmarks.manuals import questions, read_manual

LONG = "Every package must have a maintainer who answers for it, and whose address can be read in its control file."
MANUAL = f"""A Manual
********

* 1. Files

  * 1.1. Binaries


1. Files
********


1.1. Binaries
=============

{LONG}

   a line that is indented
   =======================

1.2. Links
==========

See Binaries.


1.3. Definitions
================

{LONG}


2. Definitions
**************

{LONG}


3.1. Version 4.6.2
==================

{LONG}
"""


def test_sections_lose_their_titles(tmp_path: Path) -> None:
    file = tmp_path / "manual.txt"
    file.write_text(MANUAL)
    sections = read_manual(file)
    assert [(one.file, one.title) for one in sections] == [
        ("002.txt", "Binaries"),
        ("003.txt", "Links"),
        ("004.txt", "Definitions"),
        ("005.txt", "Definitions"),
        ("006.txt", "Version 4.6.2"),
    ]
    assert sections[0].text == f"{LONG}\n\n   a line that is indented\n   ======================="
    assert sections[1].text == "See Binaries."


def test_only_titles_that_tell_one_section_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "manual.txt.gz"
    file.write_bytes(gzip.compress(MANUAL.encode()))
    (sample,) = questions(read_manual(file))
    assert (sample.id, sample.question, sample.sources) == ("002.txt", "Binaries", ("002.txt",))


MARKDOWN = f"""# 1 Guide

## 1.1 How do I add a `key`?

{LONG}

```
# no heading
```

## 1.2. Removing 2 keys¶

{LONG} Not this one.
"""


def test_headings_of_markdown_are_titles_but_not_in_code(tmp_path: Path) -> None:
    file = tmp_path / "guide.md"
    file.write_text(MARKDOWN)
    sections = read_manual(file)
    assert [one.title for one in sections] == ["How do I add a key?", "Removing 2 keys"]
    assert sections[0].text == f"{LONG}\n\n```\n# no heading\n```"


def test_a_folder_of_pages_is_one_manual_without_what_is_there_twice(tmp_path: Path) -> None:
    page = f"<html><body><h1>Guide</h1><h2>Keys</h2><p>{LONG}</p></body></html>"
    (tmp_path / "a.html").write_text(page)
    (tmp_path / "b.html").write_text(page.replace("Keys", "Locks"))
    (tmp_path / "whole.html").write_text(page)
    (tmp_path / "style.js").write_text("not read")
    assert [sample.question for sample in questions(read_manual(tmp_path))] == ["Keys", "Locks"]


def test_what_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"none\.html"):
        read_manual(tmp_path / "none.html")
