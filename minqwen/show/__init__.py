"""Pictures and controls: `from minqwen import show`, then `show.heatmap(...)` and `plt.show()`."""

from minqwen.show.attention_html import attention_page
from minqwen.show.attention_view import inspector
from minqwen.show.band_view import s_curve, s_curve_plot
from minqwen.show.chat_box import chat_box, transcript
from minqwen.show.chat_view import chat_mask_painter, chat_mask_plot
from minqwen.show.clip_view import clip_explorer, clip_plot, four_cases
from minqwen.show.compression_view import compression_plot
from minqwen.show.explorer import explore
from minqwen.show.family import FAMILY, family_table, lineage
from minqwen.show.forecast_view import forecast_plot
from minqwen.show.funnel_view import funnel
from minqwen.show.gauges_view import aligner, gauges, gauges_plot
from minqwen.show.heads import (
    ablate_heads,
    attention_maps,
    contributions,
    first_token_score,
    induction_score,
    previous_token_score,
)
from minqwen.show.labeller_view import labeller
from minqwen.show.ledger_view import claims, ledger, ledger_plot
from minqwen.show.length_view import length_curves, length_curves_plot
from minqwen.show.levels_view import levels_plot
from minqwen.show.live_view import live
from minqwen.show.mask_view import mask_painter, mask_painter_plot
from minqwen.show.memory_view import memory_calculator, memory_plot
from minqwen.show.overview import course_map, lessons
from minqwen.show.planner_view import planner, planner_plot
from minqwen.show.plots import bars, curves, heatmap, shapes
from minqwen.show.predictions import next_tokens
from minqwen.show.reach_view import reach_and_cost
from minqwen.show.review_view import reviewer
from minqwen.show.rope_view import rope_clock, rope_clock_plot, wavelengths
from minqwen.show.run_plots import bands, intervals
from minqwen.show.runs import paired_difference, read_log
from minqwen.show.sampling_view import sampling_bars, sampling_plot
from minqwen.show.tables import table
from minqwen.show.tile_view import tile_explorer, tiles_plot
from minqwen.show.token_view import token_explorer, tokens_plot
from minqwen.show.trace_view import trace
from minqwen.show.trust_view import trust_region

__all__ = [
    "FAMILY",
    "ablate_heads",
    "aligner",
    "attention_maps",
    "attention_page",
    "bands",
    "bars",
    "chat_box",
    "chat_mask_painter",
    "chat_mask_plot",
    "claims",
    "clip_explorer",
    "clip_plot",
    "compression_plot",
    "contributions",
    "course_map",
    "curves",
    "explore",
    "family_table",
    "first_token_score",
    "forecast_plot",
    "four_cases",
    "funnel",
    "gauges",
    "gauges_plot",
    "heatmap",
    "induction_score",
    "inspector",
    "intervals",
    "labeller",
    "ledger",
    "ledger_plot",
    "length_curves",
    "length_curves_plot",
    "lessons",
    "levels_plot",
    "lineage",
    "live",
    "mask_painter",
    "mask_painter_plot",
    "memory_calculator",
    "memory_plot",
    "next_tokens",
    "paired_difference",
    "planner",
    "planner_plot",
    "previous_token_score",
    "reach_and_cost",
    "read_log",
    "reviewer",
    "rope_clock",
    "rope_clock_plot",
    "s_curve",
    "s_curve_plot",
    "sampling_bars",
    "sampling_plot",
    "shapes",
    "table",
    "tile_explorer",
    "tiles_plot",
    "token_explorer",
    "tokens_plot",
    "trace",
    "transcript",
    "trust_region",
    "wavelengths",
]
