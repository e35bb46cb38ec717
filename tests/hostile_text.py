"""Text that attacks whoever shows it: put into every field that comes from outside, it must be shown as letters."""

from __future__ import annotations

from ui.shared.text import plain

TRAP = "http://127.0.0.1:9/trap.png"
"""An address that no page may ask for, on a port where nobody listens."""

CORPUS = {
    "image": f"![x]({TRAP})",
    "link": f"[x]({TRAP})",
    "image by reference": f"![x][r]\n\n[r]: {TRAP}",
    "automatic links": f"<{TRAP}> {TRAP} https://evil.example/x www.evil.example WWW.evil.example",
    "mail": "me@evil.example mailto:me@evil.example a.+-@evil.example xmpp:me@evil.example",
    "script": "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "html": f"<img src={TRAP}> <b>x</b> <!-- x --> <a href={TRAP}>x</a>",
    "formula": "$x^2$ $$\\href{http://evil.example}{x}$$ \\(x\\)",
    "directives": ':red[x] :blue-background[x] :green-badge[x] :small[x] :help[x] :color[x]{foreground="red"}',
    "containers": "::leaf[x]\n:::note\nx\n:::",
    "icons": ":material/verified: :material_verified: :streamlit: :MATERIAL/verified:",
    "emoji": ":smile: :+1: :-1: :100: a:b:c:",
    "half an emoji": ":smile",
    "arrows": "-> a <- b <-> c -- d >= e <= f ~= g",
    "only an arrow": "<->",
    "headings": "one\n===\ntwo\n---\n# three\n## four",
    "lists": "- a\n* b\n+ c\n1. d\n1) e\n- [ ] f\n> g",
    "code": "```\nx\n```\n~~~\nx\n~~~\n`x`",
    "indented": "    x *y*\n\n    z",
    "tabs": "\tx *y*",
    "blank lines": "x\n\n\ny\n",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "footnote": "[^1]\n\n[^1]: x",
    "emphasis": "**a** __b__ *c* _d_ ~~e~~ ***",
    "entities": "&lt;b&gt; &colon;smile&colon; &#58;smile&#58; &amp;",
    "backslashes": "\\ \\\\ \\:smile\\: \\n",
    "bidirectional": "a\u202eb\u2066c\u061cd\u200fe",
    "zero width": "a\u200bb\u200dc\ufeffd\u2060e",
    "surrogate": "a\ud800b",
    "control": "a\0b\x1b[31mc\x07",
    "formula of a spreadsheet": "=cmd|'/c calc'!A1 +1 -1 @SUM(1)",
    "number": "9" * 400,
}

LONG = "<" * 100_000
"""More than a browser can show as Markdown in a moment."""


def hostile(field: str) -> str:
    """All of it on one line, begun by the name of the field that it is put into."""
    return f"{field}: " + " ".join(" ".join(text.split()) for text in CORPUS.values())


def on_screen(text: str) -> str:
    """What a reader sees of `text`; a page draws spaces and lines as one space."""
    return " ".join(plain(text).split())
