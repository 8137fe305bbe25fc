# %% [markdown]
r"""
# 09 · Long context · 长上下文

**How can a model read texts longer than any it was trained on, without more training?** · **不再训练，模型怎样读比训练时更长的文本？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), sections 2.5 and 2.6 (Table 3); Chen et al. 2023, position interpolation ([arXiv:2306.15595](https://arxiv.org/abs/2306.15595)); Chiang and Cholak 2022, scaling by log n ([arXiv:2202.12172](https://arxiv.org/abs/2202.12172)); Beltagy et al. 2020, windows ([arXiv:2004.05150](https://arxiv.org/abs/2004.05150)) |
| You will have built | the factor and the base of dynamic NTK, LogN scaling, the window mask, and Table 3 in miniature |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 02 (RoPE) and 05 (cache, flash attention) |
| Exercises | 9.1 ntk_alpha · 9.2 ntk_base · 9.3 the slowest pair · 9.4 a bug · 9.5 logn_scale · 9.6 a bug · 9.7 window_mask |
"""

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.model import LongContext, Qwen, attention, flash, generate, long_context, rope
from minqwen.model.cache import KVCache
from minqwen.show import length_view, lengths
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
L = model.config.max_length
blocks = lengths.held_out_blocks(tokenizer, 8 * L)[:2]
torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown]
r"""
**Predict**, before any code: *our model was trained on 256 tokens. It now reads a play that it has never seen, 2,048 tokens at once. Will the end of the text, with so much to look back on, be easier or harder to guess than the beginning?* Write your guess down; the next figure answers.

## 9.1 What breaks

**Why.** A model meets in training only distances below its context L. Beyond it RoPE turns the slow pairs of channels to angles that never occurred (lesson 02), and attention spreads over more keys than it ever had. Qwen-7B, trained at 2,048, has a perplexity of 3.78 there, 39 at 4,096 and 2,645 at 16,384 (Table 3).

Two blocks of held-out play, read in windows of L/2 to 8L. Every length predicts the *same* tokens; all that changes is what may be read before them.
"""

# %% id="blow-up"
show.shapes(blocks=blocks)
at = [int(times * L) for times in lengths.TIMES]
rows = lengths.settings(model.config)
live = lengths.by_length(model, blocks, at, {"none": rows["none"]})
for n, nats in zip(at, live["none"]):
    print(f"{n:5} tokens: perplexity {math.exp(nats.everywhere):6.1f}")

# %%
assert live["none"][-1].everywhere > live["none"][1].everywhere + math.log(1.3), "at 8L at least 1.3 times as bad"
assert live["none"][1].everywhere < live["none"][0].everywhere + 0.02, "up to L a longer context does no harm"


# %% [markdown]
r"""
Where in the text does it break? The same tokens again, all 2,048 of a block in one window, averaged over pieces of 128:
"""


# %%
@torch.no_grad()
def costs_by_place(settings, piece=128):
    model.long_context = settings
    logits = model(blocks[:, :-1])
    model.long_context = LongContext()
    costs = F.cross_entropy(logits.flatten(0, 1), blocks[:, 1:].flatten(), reduction="none")
    return costs.view(len(blocks), -1, piece).mean(dim=(0, 2))


# %% id="where-it-breaks"
places = torch.arange(64, 8 * L, 128)
unchanged = costs_by_place(LongContext())
assert unchanged[places > L].mean() > unchanged[places < L].mean() + 0.5
assert unchanged[places > 4 * L].min() > unchanged[places < L].max(), "and no piece of the second half is as easy"
show.curves(
    places,
    {"as trained": unchanged},
    title="Up to the trained length all is well; beyond it tokens get harder",
    x=f"position in the text (trained: {L})",
    y="nats a token",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: low points at the left, the last just past the trained length, then a steep rise and no return. The answer to the prediction: *harder*.

## 9.2 Interpolation: squeeze the positions

**Why.** If positions up to 255 are known, divide all positions so that they stay below 256 (Chen et al. 2023):

$$p'=p/s,\qquad s=\max(n/L,\ 1),\qquad p, p'\text{: (T)}$$

with $n$ the length of the text.
"""

# %% id="interpolation"
squeezed = long_context.interpolate_positions(torch.tensor([0, 4, 8, 12]), factor=2.0)
print(squeezed)
assert squeezed.tolist() == [p / 2 for p in (0, 4, 8, 12)]
assert long_context.interpolate_positions(torch.arange(8 * L), factor=8.0).max() < L

# %% [markdown]
r"""
No angle is new now. But the *fast* pairs pay: neighbours, one radian apart in pair 0 when the model learned to tell them apart, are an eighth of a radian apart in a text of 8L. The model has to be trained a little to get used to it (as Chen et al. do). Ours is not, and a text of 8L reads:
"""

# %% id="interpolation-costs"
steps = rope.rope_angles(long_context.interpolate_positions(torch.arange(2), 8.0), model.config.d_head)
assert steps[1, 0] == 1 / 8, "the fastest pair has lost its step"
print(
    f"nats a token as trained {unchanged.mean():.2f}, interpolated {costs_by_place(rows['interpolation']).mean():.2f}"
)

# %% [markdown]
r"""
What it wins beyond L it loses within L; the figure in 9.3 has both.

## 9.3 NTK-aware: change the base, keep the fast pairs

**Why.** Only the slow pairs run out of known angles. A larger base slows each pair by another factor: the last by α, the first not at all. With D channels a head and i = 0 … D/2 − 1,

$$\text{base}'=\text{base}\cdot\alpha^{D/(D-2)},\qquad \theta'_i=\text{base}'^{-2i/D}=\theta_i\cdot\alpha^{-2i/(D-2)}$$

By eye, D = 4 and base 100: α = 3 makes it 100 · 3² = 900, and the last pair goes from 1/10 to 1/30 radian a token.
"""

# %%
print(long_context.ntk_base(100.0, 3, d_head=4))
assert_close(long_context.ntk_base(100.0, 3, d_head=4), 900.0)
assert_close(rope.rope_angles(torch.ones(1), 4, 900.0), torch.tensor([[1.0, 1 / 30]]))


# %%
def speeds_by_loops(base, alpha, d_head):
    return [base ** (-2 * i / d_head) * alpha ** (-2 * i / (d_head - 2)) for i in range(d_head // 2)]


# %% id="ntk-keeps-the-fast-pairs"
D, base = model.config.d_head, model.config.rope_base
trained = rope.rope_angles(torch.ones(1), D, base)[0]
ntk = rope.rope_angles(torch.ones(1), D, long_context.ntk_base(base, 15, D))[0]
assert_close(ntk, torch.tensor(speeds_by_loops(base, 15, D)))
assert ntk[0] == trained[0]
assert_close(trained[-1] / ntk[-1], torch.tensor(15.0))

# %%
show.curves(
    range(D // 2),
    {"interpolation, factor 8": torch.full((D // 2,), 1 / 8), "NTK, alpha 15": ntk / trained},
    title="Interpolation slows every pair alike, NTK keeps the fast ones",
    x="pair of channels, from fast to slow",
    y="speed, of the trained one",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: a flat line at 1/8, and one that starts at 1 and falls to 1/15.

How large must α be? Qwen takes more than the ratio n/L, and the same value for a whole *chunk* of lengths:

$$\alpha(n)=\max\big(2^{\lceil\log_2(n/L)\rceil+1}-1,\ 1\big)$$
"""

# %% id="alpha-by-chunks"
for n in (1024, 2048, 2049, 4096, 8192, 16384):
    alpha = long_context.ntk_alpha(n, trained_length=2048)
    print(f"{n:6} tokens: alpha {alpha:2}, base {long_context.ntk_base(10_000.0, alpha, d_head=128):9,.0f}")
assert [long_context.ntk_alpha(n, 2048) for n in (2048, 2049, 4096, 4097)] == [1, 3, 3, 7]

# %% exercise="ntk_alpha"
with torch.no_grad():
    model.long_context = LongContext("ntk")
    library = model(blocks[:1, : 2 * L])
    with using(ntk_alpha):
        yours = model(blocks[:1, : 2 * L])
    model.long_context = LongContext()
assert_close(yours, library)
print("The model reads twice its length by your factor.")

# %% exercise="ntk_base"
with torch.no_grad():
    model.long_context = LongContext("ntk")
    library = model(blocks[:1, : 4 * L])
    with using(ntk_base):
        yours = model(blocks[:1, : 4 * L])
    model.long_context = LongContext()
assert_close(yours, library)
print("The model reads four times its length by your base.")

# %% exercise="09_slowed"

# %% [markdown]
r"""
What it does for our model, on the same tokens:
"""

# %% id="ntk-repairs"
with_ntk = costs_by_place(rows["dynamic NTK"])
assert with_ntk.mean() < unchanged.mean() - 0.2
show.curves(
    places,
    {"as trained": unchanged, "interpolation": costs_by_place(rows["interpolation"]), "NTK": with_ntk},
    title="NTK repairs much of the text; interpolation, untrained, does not",
    x=f"position in the text (trained: {L})",
    y="nats a token",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the line of NTK below the others nearly everywhere. Not at the very left: one base serves the whole text, and the first 256 tokens, which needed nothing, pay a little. Nor at the very right, where interpolation comes as low or lower.

## 9.4 Dynamic, and frozen while it writes

The base depends on n, the length *now*: this is what *dynamic* means, and a text up to L is read exactly as before.
"""

# %% id="short-texts-unchanged"
with torch.no_grad():
    plain = model(blocks[:, :L])
    for name, settings in rows.items():
        model.long_context = settings
        assert model(blocks[:, :L]).equal(plain), name
    model.long_context = LongContext()

# %% [markdown]
r"""
**A trap.** While a model writes, n grows, but the keys in the cache have been rotated already, by the base of *their* time. A query by another base would not fit them. So the reference code chooses α when it reads the prompt, and keeps it. A prompt just below L freezes α at 1, and what follows is read as if there were no NTK:
"""


# %%
@torch.no_grad()
def costs_after(settings, prompt, total=4 * L):
    """Nats a token in the last 2L of 4L, when the first `prompt` tokens are read at once and the others follow."""
    model.long_context = settings
    cache = KVCache(model.config, len(blocks), total)
    pieces = [model(blocks[:, :prompt], cache=cache)]
    if prompt < total:
        pieces.append(model(blocks[:, prompt:total], cache=cache))  # the same as token by token (lesson 05)
    model.long_context = LongContext()
    logits = torch.cat(pieces, dim=1)[:, -2 * L :]
    return F.cross_entropy(logits.flatten(0, 1), blocks[:, total - 2 * L + 1 : total + 1].flatten()).item()


# %% id="frozen-alpha"
frozen = {prompt: costs_after(rows["dynamic NTK"], prompt) for prompt in (L - 6, 2 * L - 12, 4 * L)}
for prompt, cost in frozen.items():
    print(
        f"prompt of {prompt:4}: alpha stays {long_context.ntk_alpha(prompt, L)}, {cost:.2f} nats a token in the last {2 * L}"
    )
assert_close(frozen[L - 6], costs_after(LongContext(), L - 6), atol=1e-4, rtol=0)  # no better than without NTK
assert frozen[4 * L] < frozen[2 * L - 12] < frozen[L - 6]

# %% [markdown]
r"""
The way out costs one pass: when the text has outgrown its chunk, empty the cache and read everything again. Because chunks double, that happens rarely.
"""

# %% exercise="09_cached_angles"

# %% [markdown]
r"""
## 9.5 LogN: sharper queries

**Why.** A softmax over more keys is spread thinner. Take scores of one and the same spread, over n keys: the *entropy* $-\sum_s w_s\ln w_s$ of the weights grows with ln n. At n = e^H keys of equal weight it would be H.
"""

# %%
generator = torch.Generator().manual_seed(0)


def entropy(scores):
    return -(scores.softmax(-1) * scores.log_softmax(-1)).sum(-1).mean().item()


# %% id="entropy-grows"
keys = [64, 256, 1024, 4096]
scores = {n: 2 * torch.randn(200, n, generator=generator) for n in keys}
plain = [entropy(scores[n]) for n in keys]
scaled = [entropy(scores[n] * long_context.logn_scale(torch.tensor(n - 1), 256)) for n in keys]
print("entropy as it is:", [f"{h:.2f}" for h in plain], " with LogN:", [f"{h:.2f}" for h in scaled])
assert all(far > near + 1 for near, far in zip(plain, plain[1:])), "four times the keys: about ln 4 more"
assert scaled[-1] - scaled[1] < 0.3 * (plain[-1] - plain[1]), "LogN takes most of the growth away"

# %% [markdown]
r"""
The query at position p (it sees p + 1 keys) is multiplied by

$$g(p)=\max\Big(1,\ \frac{\ln(p+1)}{\ln L}\Big),\qquad g\text{: (T)}$$

By eye, L = 10: positions 0, 9, 99 and 999 see 1, 10, 100 and 1,000 keys, so the factors are 1, 1, 2, 3. The report speaks of "query and value"; the code multiplies the *query*.
"""

# %%
factors = long_context.logn_scale(torch.tensor([0, 9, 99, 999]), trained_length=10)
print(factors)
by_loops = [max(1.0, math.log(p + 1) / math.log(10)) for p in (0, 9, 99, 999)]
assert_close(factors, torch.tensor(by_loops))


# %% [markdown]
r"""
And in the trained model? The mean entropy of all its attention, by position, over 1,024 tokens:
"""


# %%
def entropies(settings, n=4 * L):
    model.long_context = settings
    maps = show.attention_maps(model, blocks[0, :n])
    model.long_context = LongContext()
    return -(maps * maps.clamp(min=1e-12).log()).sum(dim=-1).mean(dim=(0, 1)).view(-1, 64).mean(dim=-1)


# %% id="entropy-of-attention"
by_settings = {"NTK": entropies(rows["dynamic NTK"]), "NTK and LogN": entropies(rows["+ LogN"])}
show.shapes(**{name.replace(" ", "_"): h for name, h in by_settings.items()})
growth = {name: (h[-1] - h[L // 64 - 1]).item() for name, h in by_settings.items()}
assert growth["NTK"] > 0.3 and abs(growth["NTK and LogN"]) < 0.5 * growth["NTK"]

# %%
show.curves(
    torch.arange(32, 4 * L, 64),
    by_settings,
    title=f"LogN holds the entropy beyond the trained {L} tokens",
    x="position of the query",
    y="entropy of attention, nats",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: one line up to 256. Then that of NTK climbs on, and with LogN it stays near its level. So the mechanism works as the report says; whether it helps is another question (9.7).
"""

# %% exercise="logn_scale"
with torch.no_grad():
    model.long_context = LongContext("ntk", logn=True)
    library = model(blocks[:1, : 2 * L])
    with using(logn_scale):
        yours = model(blocks[:1, : 2 * L])
    model.long_context = LongContext()
assert_close(yours, library, atol=1e-4, rtol=0)
print("The model reads twice its length with your factors.")

# %% exercise="09_logn_on_keys"

# %% [markdown]
r"""
## 9.6 Windows, short below and long above

**Why.** If no layer ever looks back further than it did in training, it never meets a new distance. A *window* of w shows a query the last w keys, itself included:

$$\text{mask}[t,s]=\big(0\le t+S-T-s<w\big),\qquad\text{mask: (T, S)}$$
"""

# %%
mask = long_context.window_mask(T=3, S=4, window=2)
print(mask.int())
assert mask.tolist() == [[0 <= t + 1 - s < 2 for s in range(4)] for t in range(3)]

# %% [markdown]
r"""
One layer is short-sighted; a stack is not. What a token has heard, it passes on: after l layers of window w something can have come from l · (w − 1) tokens back. Paint it:
"""

# %%
painter = show.mask_painter()
painter

# %% [markdown]
r"""
**What you should see**: on the left a band as wide as the window; on the right it is wider, by another window (less one) for each layer. The framed row is one query, its dots the keys that it sees, or hears of.
"""

# %% id="reach-of-a-stack"
for layers in (1, 2, 3):
    assert show.mask_painter_plot(window=6, layers=layers).reach == layers * 5
    plt.close()

# %% [markdown]
r"""
**Which layers suffer?** The report saw that lower layers are more sensitive to length, and so gave them shorter windows. Ask our model: a window of L in one layer, and none in the others. How much of the loss at 8L does that take away?
"""


# %%
def repaired(narrow):
    windows = tuple(L if layer in narrow else 8 * L for layer in range(model.config.n_layers))
    return (unchanged.mean() - costs_by_place(LongContext(windows=windows)).mean()).item()


# %% id="which-layers-suffer"
by_layer = [repaired({layer}) for layer in range(6)]
lower, upper = repaired({0, 1, 2}), repaired({3, 4, 5})
assert min(by_layer) > 0 and min(lower, upper) > 0.2, "every layer suffers from distances it has never met"
show.bars(
    [*by_layer, lower, upper],
    [f"layer {layer}" for layer in range(6)] + ["layers 0 to 2", "layers 3 to 5"],
    title=f"A window helps every layer: lower half {lower:.2f} nats, upper half {upper:.2f}",
    x=f"nats a token less, by a window of {L} in these layers alone",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: eight bars above zero. By the report the lower layers should gain more; compare the last two bars.
"""

# %% id="lower-layers-first"
answer = "yes" if lower > 1.1 * upper else "no, the upper ones do" if upper > 1.1 * lower else "not seen at this size"
print("lower layers suffer more:", answer)

# %% [markdown]
r"""
The report gave neither sizes nor code. **A reconstruction**, after an example by one of its authors ([issue 422](https://github.com/QwenLM/Qwen/issues/422): 2,048 for the first four layers, 4,096 for the next four, and so on), for our six layers:
"""

# %% id="windows-by-layer"
windows = long_context.doubling_windows(model.config.n_layers, first=L, every=2)
print(windows)
assert rows["+ window by layer"].windows == windows == (256, 256, 512, 512, 1024, 1024)

# %% [markdown]
r"""
In a layer with a window nothing counts further than the window: α is that of w tokens, so the lowest layers keep the base that they were trained with. (Also reconstructed: with one α for all layers, as in the released code, layers could not differ.)
"""

# %% exercise="window_mask"
with torch.no_grad():
    model.long_context = lengths.settings(model.config)["+ window by layer"]
    library = model(blocks[:1, : 4 * L])
    with using(window_mask):
        yours = model(blocks[:1, : 4 * L])
    model.long_context = LongContext()
assert_close(yours, library)
print("The model reads four times its length through your windows.")

# %% [markdown]
r"""
## 9.7 Table 3 in miniature

Written down before anything ran: without help the perplexity at 8L is at least **1.3 times** that at L; NTK repairs part of it; all three together stay within **1.15 times** at 4L. Otherwise: no effect.

Two rows are ours. *Interpolation* the report only mentions; *a window of L everywhere*, and nothing else, we added after a first look. First the whole table live, on one block:
"""

# %% id="table-live"
live = lengths.by_length(model, blocks[:1], at, rows)
print(f"{'':24}", *(f"{n:6}" for n in at))
for name, line in live.items():
    print(f"{name:24}", *(f"{math.exp(nats.everywhere):6.1f}" for nats in line))

# %% [markdown]
r"""
One block may be an accident. `make evidence NAME=long_context` reads all of both plays, cut into five parts, with everything that stands between L/2 and 8L; the log is shipped.
"""

# %% id="table-log"
log = show.read_log(assets.RUNS / "long_context.jsonl")
predicted = sum(run["predicted"] for run in log.records if run["variant"] == "none")
print(f"{log.about['command']}: {60 * log.hours:.0f} minutes on one busy core, {predicted:,} tokens a row and length")
print(f"{'':24}", *(f"{n:6}" for n in length_view.lengths(log)))
for name in log.about["variants"]:
    parts = torch.tensor(length_view.perplexities(log, name, "all positions")).log().mean(dim=0).exp()
    print(f"{name:24}", *(f"{p:6.1f}" for p in parts))

# %%
curves = show.length_curves(log)
curves

# %% [markdown]
r"""
**What you should see**: one line up to the dotted length, then a fan. *None* climbs steeply, NTK much less, windows less again. Switch to *the last L/2* tokens of each text, those with most behind them: the fan opens further.

Now the verdict. Perplexity at n over perplexity at L, within each part; the interval holds the true ratio in 95 of 100 such experiments (Student 1908, as in lesson 04).
"""

# %% id="table-3"
measures = list(length_view.MEASURES)
rise = {m: {name: length_view.growth(log, name, 8 * L, L, m) for name in log.about["variants"]} for m in measures}
for name in log.about["variants"]:
    said = "   ".join(f"{m}: {r[name].mean:5.2f} ({r[name].low:.2f} to {r[name].high:.2f})" for m, r in rise.items())
    print(f"{name:24} at 8L  {said}")

# %% id="ntk-repairs-part"
none, ntk = rise["all positions"]["none"], rise["all positions"]["dynamic NTK"]
print(f"1. none rises at least 1.3 times: {'yes' if none.low > 1.3 else 'no effect'}, {none.mean:.2f}")
print(f"2. NTK repairs part of it: {'yes' if ntk.high < none.low else 'no effect'}, {ntk.mean:.2f}")
assert none.low > 1.3 and ntk.mean > 1 and ntk.high < none.low

# %% id="all-together"
for m in measures:
    low, mean, high = length_view.growth(log, "+ window by layer", 4 * L, L, m)
    verdict = "yes" if high < 1.15 else "no" if low > 1.15 else "cannot be told"
    print(f"3. all together at 4L, {m}: {mean:.2f} ({low:.2f} to {high:.2f}); within 1.15: {verdict}")

# %% id="logn-and-windows"
pairs = {"LogN": ("+ LogN", "dynamic NTK"), "window by layer": ("+ window by layer", "+ LogN")}
at_8l = log.at(0, lambda run: run["nats"][str(8 * L)]["everywhere"])
for name, (with_it, without) in pairs.items():
    low, mean, high = show.paired_difference(at_8l[with_it], at_8l[without])
    print(f"{name:16} at 8L: {mean:+.3f} nats a token ({low:+.3f} to {high:+.3f})")
    assert mean < 0.02, "neither does harm"

# %% [markdown]
r"""
Beside the report's table: over all positions the rows come in the same order, and the greatest step is NTK; over the last L/2 it is the window. LogN, which held the entropy so well, is worth little here. The report's last row stands at 4.32 for 8L, 1.14 times its level at L; ours is in the list above.

**The plainest row wins.** A window of L in every layer stays level at any length:
"""

# %% id="window-everywhere"
flat = rise["all positions"]["window of L everywhere"]
print(f"a window of L everywhere: {flat.mean:.3f} ({flat.low:.3f} to {flat.high:.3f})")
assert flat.high < 1.05 and flat.high < rise["all positions"]["+ window by layer"].low

# %% [markdown]
r"""
So it can also write for as long as you like. `generate` refuses to pass L where the model is not made for it; with such windows it writes twice L:
"""

# %% id="written-past-the-context"
model.long_context = rows["window of L everywhere"]
text = generate.generate(model, blocks[:1, :8], 2 * L, top_p=0.9, generator=torch.Generator().manual_seed(0))
model.long_context = LongContext()
print(tokenizer.decode(text[0, -80:].tolist()))
assert text.shape == (1, 8 + 2 * L) and text.shape[1] > L

# %% [markdown]
r"""
It never meets a new distance. But it is no *longer* context either: does anything reach it from beyond L? Compare the last L/2 tokens, read with 8L behind them, and with L:
"""

# %% id="does-length-help"
low, mean, high = rise["the last L/2"]["window of L everywhere"]
print(f"the last L/2 after 8L, over the same after L: {mean:.3f} ({low:.3f} to {high:.3f})")
assert 0.95 < mean < 1.05, "next to nothing is gained by what lies further back"

# %% [markdown]
r"""
Qwen-7B gains from length: 3.78 at L, 3.58 at 2L, 3.49 at 4L. Ours has learned nothing that reaches further than 256 tokens, and so there is nothing to gain.

**The ladder.**

| rung | where it is checked |
| --- | --- |
| loops = minqwen, for speeds, factors and the mask | above |
| the first Qwen's rules for α, bases and LogN = minqwen | 9.3; `tests/model/test_long_context.py` |
| `transformers` = minqwen: interpolation, a base, windows, in whole models | `tests/model/test_long_context.py` |
| read at once = read with a cache, within a chunk | `tests/model/test_long_context.py` |

## 9.8 Put right

> "NTK and LogN make long contexts cheap."

They make them *readable*. NTK changes angles and LogN multiplies queries: attention still compares every query with every key before it. Only the window does less, and only if the hidden scores are never computed. Flash attention (lesson 05) skips tiles that are hidden as a whole; count what it multiplies in layer 0:
"""


# %%
@torch.no_grad()
def attention_products(settings, window=None, n=8 * L):
    place = long_context.places(settings, model.config, torch.arange(n).float()[None], (n,), None, n, window)
    block = model.model.layers[0]
    x = block.input_layernorm(model.model.embed_tokens(blocks[:1, :n]))
    q, k, v = block.self_attn.queries_keys_values(x, place.angles, place.query_scale)
    with FlopCounterMode(display=False) as counter:
        out = flash.flash_attention(q, k, v, causal=True, window=window, block_q=128, block_k=128)
    assert_close(out, attention.fused_attention(q, k, v, place.mask), atol=1e-4, rtol=0)  # the same attention
    return counter.get_total_flops() / 2e6


# %% id="only-windows-are-cheaper"
products = {
    "none": attention_products(LongContext()),
    "NTK": attention_products(LongContext("ntk")),
    "NTK, LogN": attention_products(LongContext("ntk", logn=True)),
    "NTK, LogN, window of L": attention_products(LongContext("ntk", logn=True), window=L),
}
assert products["none"] == products["NTK"] == products["NTK, LogN"] > 2.5 * products["NTK, LogN, window of L"]
show.bars(
    list(products.values()),
    list(products),
    title=f"Of the three only the window multiplies less (one layer, {8 * L:,} tokens)",
    x="million products of numbers",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: three bars of one length, and a short one. With n tokens and a window w the work is n · w in place of n²/2: linear in n (not quite so little here: tiles on the edge are multiplied whole).

## 9.9 Not shown at this size

* The report's model was trained on 2,048 tokens of whole documents and has long dependencies to lose; ours reads 256.
* That lower layers need the shorter windows: 9.6 asked on two blocks, and they did not suffer more; our windows by layer are a reconstruction, and the plain window beats them.
* The report's lengths, 16,384 and more, and its texts, arXiv papers.

## Summary · 小结

1. Beyond the trained length RoPE turns slow pairs to unknown angles, and perplexity climbs. · 超过训练长度后，RoPE 的慢频对转到陌生角度，困惑度上升。
2. Interpolation slows all pairs, NTK only the slow ones; dynamic NTK chooses by length, in chunks. · 位置插值放慢所有频率，NTK 只放慢低频；动态 NTK 按长度分段选取。
3. While writing, α stays that of the prompt. · 生成时 α 保持为提示词的取值。
4. LogN holds the entropy of attention; a window hides what is far. · LogN 稳定注意力的熵，窗口遮住远处。
5. Only the window reduces cost. · 只有窗口注意力降低计算量。

**Your prediction**: the end of a long text is *harder* to guess for a model that has never seen such distances.

**Recall**

<details><summary>1. A model trained at 2,048 reads 5,000 tokens. What is alpha?</summary>

5,000 lies between 2L and 4L: 7.

</details>
<details><summary>2. Which pair of channels does NTK leave alone?</summary>

Pair 0, the fastest: base⁰ is 1 whatever the base.

</details>
<details><summary>3. Why may alpha not change in the middle of a text that is being written?</summary>

The keys in the cache were rotated by the old base; queries by a new one would not fit them.

</details>
<details><summary>4. What does LogN multiply, and by what?</summary>

The query at position p, by max(1, ln(p + 1) / ln L).

</details>
<details><summary>5. Three layers with a window of 100: from how far back can something arrive?</summary>

3 · 99 = 297 tokens.

</details>
"""
