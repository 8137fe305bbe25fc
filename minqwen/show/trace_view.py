"""A trace of thoughts and tools, shown line by line while it is written; each line says who wrote it."""

import html
from collections.abc import Iterable
from typing import Any

from IPython.display import HTML, display

STYLE = "white-space: pre-wrap; margin: 0; padding: 0.2em 0.6em; border-left: 4px {line}"
LINES = {"model": "solid #0072B2", "tool": "dashed #E69F00", "answer": "double #009E73", "stopped": "dotted #D55E00"}


def trace_html(events: Iterable[Any]) -> str:
    """The events of `prompt.react.run_react`, a row each. Their text is text: no HTML in it counts."""
    rows = [
        f"<tr><th scope='row' style='text-align: left; vertical-align: top'>{html.escape(event.kind)}</th>"
        f"<td style='text-align: left'><pre style='{STYLE.format(line=LINES.get(event.kind, 'solid'))}'>"
        f"{html.escape(event.text.strip())}</pre></td></tr>"
        for event in events
    ]
    return f"<table role='log'><caption>Who wrote what, in order</caption>{''.join(rows)}</table>"


def trace(events: Iterable[Any]) -> list[Any]:
    """Show events as they come, and return them all."""
    seen: list[Any] = []
    shown = display(HTML(trace_html(seen)), display_id=True)
    for event in events:
        seen.append(event)
        if shown is not None:
            shown.update(HTML(trace_html(seen)))
    return seen
