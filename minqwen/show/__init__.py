"""Pictures and controls: `from minqwen import show`, then `show.heatmap(...)` and `plt.show()`."""

from minqwen.show.attention_html import attention_page
from minqwen.show.attention_view import inspector
from minqwen.show.explorer import explore
from minqwen.show.heads import (
    ablate_heads,
    attention_maps,
    contributions,
    first_token_score,
    induction_score,
    previous_token_score,
)
from minqwen.show.plots import bars, curves, heatmap, shapes
from minqwen.show.predictions import next_tokens
from minqwen.show.rope_view import rope_clock, rope_clock_plot, wavelengths

__all__ = [
    "ablate_heads",
    "attention_maps",
    "attention_page",
    "bars",
    "contributions",
    "curves",
    "explore",
    "first_token_score",
    "heatmap",
    "induction_score",
    "inspector",
    "next_tokens",
    "previous_token_score",
    "rope_clock",
    "rope_clock_plot",
    "shapes",
    "wavelengths",
]
