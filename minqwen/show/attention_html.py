"""All heads of a model on a few sentences as one HTML file: no server, no library, no request, all by keyboard.

The overview of small maps beside a large one follows Vig 2019 (arXiv:1906.05714), section 3, the "model view".
"""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import torch
from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from minqwen.model import Qwen
from minqwen.show import attention_view, heads

TEMPLATE = Path(__file__).with_name("attention_page.html")


def attention_page(model: Qwen, tokenizer: Any, texts: Sequence[str], path: str | Path) -> HTML:
    """Write the page to `path`; the last line of a cell shows it, with a table for notebooks that run no scripts."""
    read = [attention_view.read_tokens(model, tokenizer, text) for text in texts]
    tokens = [attention_view.token_labels(tokenizer, ids) for ids in read]
    maps = [heads.attention_maps(model, torch.tensor(ids)) for ids in read]
    shown = [
        {"text": text, "tokens": labels, "bytes": quantise(each), "scores": _scores(model, each)}
        for text, labels, each in zip(texts, tokens, maps)
    ]
    start = divmod(int(torch.tensor(shown[0]["scores"]["previous token"]).argmax()), model.config.n_heads)
    data = {
        "layers": model.config.n_layers,
        "heads": model.config.n_heads,
        "habits": list(attention_view.HABITS.items()),
        "start": start,
        "texts": shown,
    }
    table = _table(tokens[0], maps[0][start], f"Layer {start[0]}, head {start[1]}")
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(data=_inside_script(data), table=table)
    Path(path).write_text(page, encoding="utf-8")
    frame = f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="Attention of every head"'
    height = 700 + 16 * max(map(len, tokens))  # so that a narrow notebook shows the bars below the heads
    style = f"width:100%; height:{height}px; border:1px solid #ccc; border-radius:8px"
    return HTML(
        f'<div>{frame} style="{style}"></iframe><details><summary>The same as a table</summary>{table}</details></div>'
    )


def _scores(model: Qwen, maps: Tensor) -> dict[str, list[list[float]]]:
    scores = attention_view.head_scores(model, maps)
    return {habit: [[round(x, 4) for x in row] for row in each.tolist()] for habit, each in scores.items()}


def quantise(maps: Float[Tensor, "L H T T"]) -> str:
    """The weights on and below each diagonal as round(255 w), one byte each, row by row, in base64."""
    T = maps.shape[-1]
    past = torch.ones(T, T, dtype=torch.bool).tril()
    levels = (maps[..., past] * 255).round().to(torch.uint8)
    return base64.b64encode(levels.numpy().tobytes()).decode()


def _inside_script(data: Any) -> str:
    """JSON in which no text can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _table(tokens: Sequence[str], weights: Float[Tensor, "T T"], head: str) -> str:
    """For each token the three tokens it looks at most."""
    names = [html.escape(token) for token in tokens]
    rows = []
    for name, row in zip(names, weights):
        most = row.topk(min(3, len(names)))
        said = ", ".join(f"{names[s]} {w:.2f}" for w, s in zip(most.values.tolist(), most.indices.tolist()) if w)
        rows.append(f"<tr><td>{name}</td><td>{said}</td></tr>")
    top = f"<caption>{head}: what each token looks at most</caption><tr><th>token</th><th>looks at</th></tr>"
    return f"<table>{top}{''.join(rows)}</table>"
