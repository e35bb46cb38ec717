"""What is put into a text that Streamlit reads as Markdown is escaped there, a number, or words of our own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MARKDOWN = {
    *("markdown", "caption", "write", "title", "header", "subheader", "info", "success", "warning", "error", "toast"),
    *("button", "download_button", "form_submit_button", "link_button", "popover", "expander", "tabs", "status"),
    *("checkbox", "toggle", "radio", "pills", "segmented_control", "selectbox", "multiselect", "select_slider"),
    *("text_input", "text_area", "number_input", "slider", "date_input", "file_uploader", "metric", "spinner"),
    *("progress", "badge", "table", "chat_input", "feedback", "TextColumn", "NumberColumn"),
}
"""Functions of Streamlit that read Markdown in one of their texts. `st.text` and data frames show letters."""

LETTERS = {"key", "args", "kwargs", "on_click", "on_change", "value", "placeholder", "file_name", "data", "mime"}
"""Arguments of theirs that are shown as letters, or not at all."""

ESCAPING = {"escaped", "len", "title_of", "leak_sentence", "points", "duration", "_mark", "_numbers"}
"""Functions that return numbers, our own words, or what they have escaped."""

NUMBERS = {
    *("passage.page", "proof.difference.changed", "share.right", "share.questions", "made.questions", "proof.left_out"),
    *("run.step", "run.steps", "note.step", "state.expected_s", "made.chunk_tokens", "made.overlap_tokens"),
    *("rank", "number", "count", "size", "shared", "most_mb", "limit"),
}
OWN_WORDS = {
    *(
        "look.colour",
        "look.icon",
        "look.name",
        "spec.use_when",
        "spec.avoid_when",
    ),  # of the tables of approaches and modes
    *("provider.documentation", "step.name", "start.caption", "part.title", "section"),
}
"""Expressions that are whole numbers, and words that are written in our own code, wherever they stand."""

OF_A_CALLER = {
    "ui/ask/column.py: title or title_of(approach)": "Markdown by its contract; who gives one escapes what is in it",
    "ui/ask/key_field.py: help": "Markdown by its contract, likewise",
    "ui/evaluate/compare_runs.py: title_icon(one)": "one of three constants",
    "ui/fine_tuned/proof.py: name": "of an arm, from the table of arms",
    "ui/rag/chunk_settings.py: title": "one of two constants",
}


def interpolated(node: ast.AST) -> Iterator[ast.expr]:
    """The values in f-strings below a node that are not within a call that escapes."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ESCAPING:
        return
    if isinstance(node, ast.FormattedValue) and node.format_spec is None:
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from interpolated(child)


def is_harmless(value: ast.expr, scope: ast.Module, deep: int = 0) -> bool:
    """Whether it is a number, escaped, or words of our own; names are looked up where they are assigned."""
    match value:
        case ast.Constant():
            return True
        case ast.JoinedStr():
            return all(is_harmless(one, scope, deep + 1) for one in interpolated(value))
        case ast.Call():
            name = ast.unparse(value.func)
            of_table = isinstance(value.func, ast.Attribute) and is_harmless(value.func.value, scope, deep + 1)
            return name in ESCAPING or name.startswith("numbers.") or of_table
        case ast.BinOp():
            return any(ast.unparse(one).startswith("len(") for one in (value.left, value.right))
        case ast.IfExp():
            return is_harmless(value.body, scope, deep + 1) and is_harmless(value.orelse, scope, deep + 1)
        case ast.Subscript():
            return isinstance(value.value, ast.Name) and value.value.id.isupper()
        case ast.Name() if value.id.isupper():
            return True
        case ast.Name() if ast.unparse(value) not in NUMBERS | OWN_WORDS and deep < 5:
            given = list(assigned(value.id, scope))
            return bool(given) and all(is_harmless(one, scope, deep + 1) for one in given)
    return ast.unparse(value) in NUMBERS | OWN_WORDS


def assigned(name: str, scope: ast.Module) -> Iterator[ast.expr]:
    """What a scope gives to a name; a parameter or a loop's variable of that name is unknown."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=known)]) if known == name:
                yield node.value
            case ast.Assign(targets=[ast.Tuple(elts=names)]) if name in map(ast.unparse, names):
                values = node.value.elts if isinstance(node.value, ast.Tuple) else names
                yield values[[ast.unparse(one) for one in names].index(name)]
            case ast.NamedExpr(target=ast.Name(id=known)) if known == name:
                yield node.value
            case ast.arg(arg=known) if known == name:
                yield ast.Await(ast.Name(name))
            case ast.For(target=target) | ast.comprehension(target=target) if name in ast.unparse(target).split(", "):
                yield ast.Await(ast.Name(name))


def drawn(scope: ast.Module) -> Iterator[ast.expr]:
    """What is given to functions of Streamlit that read Markdown."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MARKDOWN:
            yield from (*node.args, *(one.value for one in node.keywords if one.arg not in LETTERS))


def scopes(module: ast.Module) -> Iterator[ast.Module]:
    """Every function with what is in it, methods too, and what stands in none."""
    rest: list[ast.stmt] = []
    left = list(module.body)
    while left:
        one = left.pop()
        if isinstance(one, ast.ClassDef):
            left += one.body
        elif isinstance(one, ast.FunctionDef):
            yield ast.Module([one], [])
        else:
            rest.append(one)
    yield ast.Module(rest, [])


def unescaped(text: str) -> set[str]:
    return {
        ast.unparse(value)
        for scope in scopes(ast.parse(text))
        for argument in drawn(scope)
        for value in interpolated(argument)
        if not is_harmless(value, scope)
    }


def test_what_is_put_into_markdown_is_escaped_a_number_or_ours() -> None:
    files = [*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "streamlit_app.py"]
    found = {f"{file.relative_to(ROOT)}: {one}" for file in files for one in unescaped(file.read_text("utf-8"))}
    assert found == set(OF_A_CALLER)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ('st.markdown(f"**{name}**")', {"name"}),
        ('st.button("x", help=f"{answer.model}")', {"answer.model"}),
        ('area.caption(f"{a.b:.2f} {escaped(name)} {len(x)} {numbers.dollars(x)} {_WORDS[x]}")', set()),
        ('words = f"{name}"\nst.info(f"{words} x")', {"words"}),
        ('words = escaped(f"{name}")\nst.info(f"{words} x")', set()),
        ('def f(words):\n    st.info(f"{words} x")', {"words"}),
        ('for words in x:\n    st.info(f"{words} x")', {"words"}),
        ('st.warning("x" + f"{plain(name)}")', {"plain(name)"}),
        ('st.metric("x", 1, key=f"{name}")', set()),
        ('st.text(f"{name}")', set()),
    ],
)
def test_what_is_not_escaped_is_found_out(written: str, found: set[str]) -> None:
    assert unescaped(written) == found
