"""The attention inspector: type a sentence, choose layer, head and token, and see where the head looks.

After Vig 2019, "A Multiscale Visualization of Attention in the Transformer Model" (arXiv:1906.05714), section 2: the
heat map of one head, and the row of one token as bars.
"""

import html
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from ipywidgets import HTML, Dropdown, IntSlider, Layout, Text
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from minqwen.model import Qwen
from minqwen.show import explorer, figure, heads, plots

MOST_TOKENS = 32  # more labels than these cannot be read
PERIOD = 24  # length of the random text whose repetition induction heads notice
VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}
HABITS = {
    "previous token": "Which head looks at the previous token?",
    "first token": "Which head rests on the first token?",
    "induction": "Which head, on random tokens read twice, looks at what came next the first time?",
}


def token_labels(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    r"""Each token for people: blanks as ␣, line ends as ⏎, bytes that are no whole character as \xe6."""
    return ["".join(VISIBLE.get(c, c) for c in tokenizer.token_text(token)) for token in ids]


def read_tokens(model: Qwen, tokenizer: Any, text: str) -> list[int]:
    """The ids of a text that is short enough to look at."""
    ids = tokenizer.encode(text)
    most = min(MOST_TOKENS, model.config.max_length)
    if len(ids) < 2:
        raise ValueError(f"{text!r} makes {len(ids)} of the two tokens that attention needs; type a few words")
    if len(ids) > most:
        raise ValueError(f"this text has {len(ids)} tokens, and {most} can be shown; type a shorter one")
    return ids


def head_scores(model: Qwen, maps: Float[Tensor, "L H T T"]) -> dict[str, Float[Tensor, "L H"]]:
    """Two scores of these maps, and induction on a random text that the model reads twice."""
    generator = torch.Generator().manual_seed(0)
    period = min(PERIOD, model.config.max_length // 2)
    ids = torch.randint(model.config.vocab_size, (period,), generator=generator).repeat(2)
    return {
        "previous token": heads.previous_token_score(maps),
        "first token": heads.first_token_score(maps),
        "induction": heads.induction_score(heads.attention_maps(model, ids), period),
    }


@plt.rc_context(figure.STYLE)
def attention_picture(
    weights: Float[Tensor, "T T"], tokens: Sequence[str], query: int, title: str
) -> tuple[Axes, Axes]:
    """The heat map of one head, with the row of one token framed in it and drawn as bars beside it."""
    T = len(tokens)
    side = max(3.0, 0.17 * T)
    boxes = (0.95, 0.9, side, side), (side + 2.5, 0.9, max(2.6, 0.5 * side), side)
    alt = f"{title}. Heat map of {T} tokens, and bars for the row of token {query}, {tokens[query]}."
    left, right = figure.canvas(alt, width=sum(boxes[1][::2]) + 0.3, height=side + 1.4, boxes=boxes)
    plots.heatmap(weights, title, "key S", "query T", columns=tokens, rows=tokens, high=1.0, ax=left)
    left.add_patch(Rectangle((-0.5, query - 0.5), T, 1, fill=False, edgecolor=figure.RED, linewidth=2, clip_on=False))
    plots.bars(weights[query], tokens, f"Token {query}, “{tokens[query]}”, takes from", "weight", ax=right)
    right.set(xlim=(0, 1.12), ylim=(T - 0.5, -0.5))
    return left, right


class Inspector(explorer.Explorer):
    """Controls `sentence`, `layer`, `head`, `query`; state `tokens`, `maps` and `weights`, the row that is shown."""

    def __init__(self, model: Qwen, tokenizer: Any, text: str, layer: int, head: int):
        self._model, self._tokenizer = model, tokenizer
        config = model.config
        wide = {"style": {"description_width": "5em"}, "layout": Layout(width="26em")}
        controls = {
            "sentence": Text(text, description="sentence", continuous_update=False, **wide),
            "layer": IntSlider(layer, 0, config.n_layers - 1, description="layer", continuous_update=False, **wide),
            "head": IntSlider(head, 0, config.n_heads - 1, description="head", continuous_update=False, **wide),
            "query": Dropdown(description="token", **wide),
        }
        self._questions = HTML(layout=Layout(width="26em", margin="0 0 0 2em"))
        self._read(text, controls["query"])
        super().__init__(self._picture, controls, beside=self._questions)

    def _read(self, text: str, query: Dropdown) -> None:
        ids = read_tokens(self._model, self._tokenizer, text)
        self.maps = heads.attention_maps(self._model, torch.tensor(ids))
        self.tokens = token_labels(self._tokenizer, ids)
        self._scores = head_scores(self._model, self.maps)
        self._text = text
        query.options = [(f"{i}  {token}", i) for i, token in enumerate(self.tokens)]
        query.value = len(ids) - 1

    def _picture(self, sentence: str, layer: int, head: int, query: int) -> tuple[Axes, Axes]:
        if sentence != self._text:
            self._read(sentence, self.query)
            query = self.query.value
        self.weights = self.maps[layer, head, query]
        self._questions.value = self._ask(layer, head)
        said = ", ".join(f"{habit} {score[layer, head]:.2f}" for habit, score in self._scores.items())
        title = f"Layer {layer}, head {head}: {said}"
        return attention_picture(self.maps[layer, head], self.tokens, query, title)

    def _ask(self, layer: int, head: int) -> str:
        """The questions, what the chosen head scores, and the answers under a fold."""
        scores = {habit: f"{score[layer, head]:.2f}" for habit, score in self._scores.items()}
        rows = "".join(f"<div><b>{scores[habit]}</b> {question}</div>" for habit, question in HABITS.items())
        answers = "".join(f"<div>{habit}: {_strongest(self._scores[habit])}</div>" for habit in HABITS)
        return (
            f'<div style="line-height:1.5; white-space:normal"><b>What to look for</b>, and what layer {layer}, '
            f"head {head} scores{rows}"
            f"<details><summary>Show the strongest of each kind</summary>{answers}</details></div>"
        )


def _strongest(scores: Float[Tensor, "L H"]) -> str:
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    return html.escape(f"layer {layer}, head {head} ({scores[layer, head]:.2f})")


def inspector(model: Qwen, tokenizer: Any, text: str, layer: int = 0, head: int = 0) -> Inspector:
    """The inspector on a first text and head, for the last line of a cell."""
    return Inspector(model, tokenizer, text, layer, head)
