"""The parts of a page that needs nothing from outside: one HTML file, which a strict policy keeps to its own code.

Text is escaped here, in one place. The policy names the hashes of the styles and of the script, so that nothing else
runs, whatever a name or a message says.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape as escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def page(title: str, styles: str, body: str, script: str = "", data: Any = None) -> str:
    """A whole HTML page. `body` is HTML; `data` is what the script reads from the element #data."""
    policy = (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src '{_hash(styles)}'"
    )
    behind = ""
    if script:
        policy += f"; script-src '{_hash(script)}'"
        behind = (
            f'<script type="application/json" id="data">{in_html(data)}</script>\n<script>{script}</script>\n'
        )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{styles}</style>
</head>
<body>
{body}
{behind}</body>
</html>
"""


def part(name: str) -> str:
    """A style sheet or a script of this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def in_html(data: Any) -> str:
    """JSON that can stand in a script element: no text in it can end the element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
