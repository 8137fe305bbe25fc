# %% [markdown]
r"""
# 05 · Inference · 推理

**How does a trained model write, and what makes it fast?** · **训练好的模型如何写作，又为何能快？**

| | |
| --- | --- |
| Paper | Holtzman et al. 2020 ([arXiv:1904.09751](https://arxiv.org/abs/1904.09751)); Keskar et al. 2019 ([arXiv:1909.05858](https://arxiv.org/abs/1909.05858)), section 4.1; Shazeer 2019 ([arXiv:1911.02150](https://arxiv.org/abs/1911.02150)); Milakov and Gimelshein 2018 ([arXiv:1805.02867](https://arxiv.org/abs/1805.02867)); Dao et al. 2022 ([arXiv:2205.14135](https://arxiv.org/abs/2205.14135)); Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), section 2.4 |
| You will have built | top-p sampling, a key-value cache, a softmax in parts; and seen flash attention forward and backward |
| Time | about 100 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 01 and 02 |
| Exercises | 5.1 sample_top_p · 5.2 a bug · 5.3 update_cache · 5.4 a bug · 5.5 bandwidth · 5.6 online_softmax_step |
"""

# %% tags=["setup"]
import math
import time

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, attention, cache, flash, generate, sampling
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
## 5.0 Look first

The model gives a score for every token that could come next. Writing is a loop around it: choose one, append it, ask again. `generate.stream` yields the ids as they are chosen, `tokenizer.stream` turns them into text:
"""

# %% id="stream"
start = "ROMEO.\n"
ids = torch.tensor([tokenizer.encode(start)])
print(start, end="")
new = generate.stream(model, ids, 60, top_p=0.9, generator=torch.Generator().manual_seed(1))
for piece in tokenizer.stream(token.item() for token in new):
    print(piece, end="", flush=True)

# %% [markdown]
r"""
**Predict**, before any code: *A prompt of 8 tokens, 200 new ones. Remembering the keys and values of the past, the model computes 207 positions in all. How many does it compute if it remembers nothing?* Section 5.2 answers.

## 5.1 Choosing: greedy, temperature, top-k, top-p

**Why not always the likeliest?** Try it. Six held-out scenes are continued by 60 tokens, and we count how many groups of four tokens stood there before:
"""

# %%
torch.set_printoptions(precision=3, sci_mode=False)
scenes = [tokenizer.encode("<|endoftext|>" + d.text, allow_control=True) for d in corpus.load("held_out", "en")]
starts = torch.tensor([scene[:40] for scene in scenes if len(scene) >= 40][:6])


def repeated(rows):
    groups = [[tuple(row[i : i + 4]) for i in range(len(row) - 3)] for row in rows.tolist()]
    return sum(1 - len(set(row)) / len(row) for row in groups) / len(groups)


def written(**options):
    text = generate.generate(model, starts, 60, generator=torch.Generator().manual_seed(0), **options)
    return text[:, starts.shape[1] :]


# %% id="cold-text-repeats"
heats = [0.0, 0.25, 0.5, 0.75, 1.0]
plain = [repeated(written(temperature=heat)) for heat in heats]
penalised = [repeated(written(temperature=heat, repetition_penalty=1.2)) for heat in heats]
assert plain[0] > 2 * plain[heats.index(1.0)] and penalised[0] < plain[0]
show.curves(
    heats,
    {"no penalty": plain, "penalty 1.2": penalised},
    title="Cold text repeats itself; a penalty on what was said stops that",
    x="temperature (0: the likeliest token)",
    y="share of groups of four said before",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the upper line is high on the left, where the likeliest token is taken each time: the text falls into a loop. It falls with the temperature.

**Temperature** $\tau$ divides the scores before the softmax. Small: the likeliest wins. Large: all become alike.

$$p_v=\frac{e^{z_v/\tau}}{\sum_{v'}e^{z_{v'}/\tau}},\qquad z\text{: (B, V)}$$

By eye, with scores log 1, log 2 and log 4: shares 1, 2, 4 of 7; at temperature ½ they are squared, 1, 4, 16 of 21.
"""

# %%
z = torch.tensor([1.0, 2.0, 4.0]).log()
print((z / 1.0).softmax(dim=-1), (z / 0.5).softmax(dim=-1))
assert_close((z / 0.5).softmax(dim=-1), torch.tensor([1.0, 4.0, 16.0]) / 21)


# %% id="temperature-by-loops"
def shares_by_loops(scores, temperature):
    parts = [math.exp(score / temperature) for score in scores]
    return torch.tensor([part / sum(parts) for part in parts])


for temperature in (0.3, 1.0, 3.0):
    assert_close((z / temperature).softmax(dim=-1), shares_by_loops(z.tolist(), temperature))

# %% [markdown]
r"""
**Top-k** draws from the k likeliest tokens only. **Top-p** draws from the *nucleus*: the fewest likeliest tokens that together have probability p. Temperature alone leaves every rare token a chance, and with thousands of them one is drawn soon. How much do they have together?
"""

# %% id="the-tail"
with torch.no_grad():
    logits = model(starts)[:, -1]
shares = logits.softmax(dim=-1).sort(dim=-1, descending=True).values
tail = shares[:, 50:].sum(dim=-1)
show.shapes(logits=logits, shares=shares, tail=tail)
print("probability of all tokens behind the 50 likeliest:", [f"{share:.0%}" for share in tail.tolist()])
assert tail.max() > 0.01

# %% [markdown]
r"""
A fixed k is too many where the model is sure and too few where it is not. The nucleus adapts: here is its size for p = 0.9, scene by scene.
"""

# %% id="the-nucleus-adapts"
sizes = sampling.keep_top_p(logits, 0.9).isfinite().sum(dim=-1)
assert sizes.max() > 3 * sizes.min(), "a fixed k cannot fit both"
assert sampling.keep_top_k(logits, 40).isfinite().sum(dim=-1).eq(40).all()
print("tokens in the nucleus of 0.9:", sizes.tolist())

# %% [markdown]
r"""
The same on one sentence: grey is what the model says, blue what is drawn. Here a temperature of 0.7 and the ten likeliest.
"""

# %% id="sampling-bars"
with torch.no_grad():
    ahead = model(torch.tensor([tokenizer.encode("To be, or not to")]))[0, -1]
drawn = show.sampling_plot(ahead, tokenizer, temperature=0.7, top_k=10)
assert (drawn > 0).sum() == 10 and drawn.max() > ahead.softmax(dim=-1).max()
plt.show()

# %% [markdown]
r"""
**What you should see**: the upper blue bars are longer than the grey ones, and below the tenth there are none: "never". **Explore**: no temperature changes the *order* of the bars; which one makes the second half as likely as the first? Which top-p keeps ten tokens, like this top-k?
"""

# %% id="sampling-controls"
bars = show.sampling_bars(ahead, tokenizer)
bars

# %% exercise="sample_top_p"
begun = torch.tensor([tokenizer.encode("ROMEO.\n")])
with using(sample_top_p):
    text = generate.generate(model, begun, 40, top_p=0.9, generator=torch.Generator().manual_seed(2))
print(tokenizer.decode(text[0].tolist()))

# %% exercise="05_top_k_dropped"

# %% [markdown]
r"""
**A penalty on repetition** (Keskar et al. 2019) divides the scores of all tokens that were said already by 1.2 or so. Taken by its word the formula has a trap: a score *below* 0 comes nearer to 0 and the token becomes *likelier*. Everybody's code therefore multiplies those:
"""

# %% id="penalty-below-zero"
z, seen = torch.tensor([[2.0, -2.0, 1.0]]), torch.tensor([[True, True, False]])
by_the_word = torch.where(seen, z / 1.2, z)
ours = sampling.penalise_repetition(z, seen, 1.2)
for name, scores in {"as it was": z, "divided": by_the_word, "ours": ours}.items():
    print(f"{name:9}", scores)
assert by_the_word[0, 1] > z[0, 1] and (ours[seen] < z[seen]).all()

# %% [markdown]
r"""
**When to stop.** After a token (`<|endoftext|>`), a sequence of tokens, or a string. A string is looked for in the *decoded* text, because it can be cut into tokens in several ways and can end in the middle of one:
"""

# %% id="stop-strings"
options = {"temperature": 0.0, "stop_strings": [".\n"], "decode": tokenizer.decode}
text = tokenizer.decode(generate.generate(model, ids, 80, **options)[0, ids.shape[1] :].tolist())
print(repr(text))
assert ".\n" not in text[:-3], "it stops at the first"

# %% [markdown]
r"""
## 5.2 The cache: remember what was computed

**Why.** Each new token needs the keys and values of *all* tokens before it. They are the same as a step ago: a token never sees what comes after it. Without a cache they are computed again, for every token:
"""

# %% id="positions-computed"
prompt, n = 8, 200
with_cache = prompt + (n - 1)  # the prompt at once, then each new token but the last
without = sum(prompt + i for i in range(n))
print(f"{with_cache} positions with a cache, {without:,} without: {without / with_cache:.0f} times as many")
assert (with_cache, without) == (207, 21_500)

# %% [markdown]
r"""
The memory is one block for each layer, made once. By eye: capacity 4, D = 2, two positions filled, one more comes.
"""

# %%
memory = torch.zeros(1, 1, 4, 2)  # (B, Hkv, capacity, D)
cache.update_cache(memory, length=0, new=torch.tensor([[[[1.0, 1.0], [2.0, 2.0]]]]))
filled = cache.update_cache(memory, length=2, new=torch.tensor([[[[3.0, 3.0]]]]))
show.shapes(memory=memory, filled=filled)
assert filled[0, 0, :, 0].tolist() == [1, 2, 3] and memory[0, 0, :, 0].tolist() == [1, 2, 3, 0]


# %% [markdown]
r"""
The oracle is the loop without any memory. Token for token the same, greedy and sampled:
"""


# %%
@torch.no_grad()
def write_by_loop(ids, n):
    for _ in range(n):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=-1)
    return ids


# %% id="cache-is-no-cache"
assert generate.generate(model, starts, 20, temperature=0.0).equal(write_by_loop(starts, 20))
sampled = [
    generate.generate(model, starts, 20, top_p=0.9, use_cache=kept, generator=torch.Generator().manual_seed(3))
    for kept in (True, False)
]
assert sampled[0].equal(sampled[1])

# %% [markdown]
r"""
**Prompts of different lengths** in one batch: the short ones are padded on the left, so that all end at the same place and writing goes on at the right. `is_token` says what is padding. Each row writes what it would write alone:
"""

# %% id="left-padding"
prompts = [tokenizer.encode(text) for text in ("To be", "Shall I compare thee to a", "床前明月光")]
longest = max(map(len, prompts))
padded = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
is_token = torch.tensor([[False] * (longest - len(p)) + [True] * len(p) for p in prompts])
together = generate.generate(model, padded, 20, temperature=0.0, is_token=is_token)
for row, alone in zip(together, prompts):
    assert row[longest - len(alone) :].equal(write_by_loop(torch.tensor([alone]), 20)[0])
    print(repr(tokenizer.decode(row[longest - len(alone) :].tolist())))

# %% [markdown]
r"""
And the time? Other programs want the processor too. So each side runs three times, by turns, and its least time counts; on one thread, because a thread that waits for another counts as busy.
"""


# %%
def least(sides, rounds=3):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    spent = [{name: run() for name, run in sides.items()} for _ in range(rounds)]
    torch.set_num_threads(threads)
    return {name: torch.stack([each[name] for each in spent]).amin(dim=0) for name in sides}


# %% [markdown]
r"""
Milliseconds of the processor for each token, averaged over ten at a time:
"""


# %%
def milliseconds(use_cache):
    new = generate.stream(model, starts[:1, :8], 160, temperature=0.0, use_cache=use_cache)
    marks = [time.process_time()]
    for _ in new:
        marks.append(time.process_time())
    each = 1000 * torch.tensor(marks, dtype=torch.float64).diff()
    return each[10:].view(-1, 10).mean(dim=-1)  # the first ten warm up


# %% id="time-per-token"
spent = least({"without cache": lambda: milliseconds(False), "with cache": lambda: milliseconds(True)})
assert spent["without cache"][-3:].mean() > 2 * spent["with cache"][-3:].mean()
show.curves(
    range(23, 173, 10),
    spent,
    title="Without a cache every token costs more than the one before",
    x="length of the text so far",
    y="milliseconds a token",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: one line rises with the length of the text, the other stays near the bottom. The price is memory: two vectors for each token, layer and key-value head. For Qwen-7B half a megabyte *a token*:
"""

# %% id="cache-bytes-a-token"
seven = QwenConfig(
    vocab_size=151_936, d_model=4096, n_layers=32, n_heads=32, n_kv_heads=32, d_ff=11_008, max_length=2048
)
bytes_a_token = 2 * seven.n_layers * seven.n_kv_heads * seven.d_head * 2  # keys and values, bfloat16
print(f"{bytes_a_token:,} bytes a token, {bytes_a_token * 2048 / 1e9:.2f} GB for a text of 2,048")
assert bytes_a_token == 2**19

# %% exercise="update_cache"
begun = torch.tensor([tokenizer.encode("To be, or not to be")])
with using(update_cache):
    yours = generate.generate(model, begun, 40, temperature=0.0)
assert yours.equal(generate.generate(model, begun, 40, temperature=0.0, use_cache=False))
print("The model writes the same, token for token, on your cache.")

# %% exercise="05_cache_bug"

# %% [markdown]
r"""
## 5.3 What one token costs: reading the weights

**Why is writing slow at all?** With a cache a token passes through each matrix once, as *one* vector. Two operations for each weight is little to compute, but every weight must come from memory. A second text in the batch uses the same weights while they are there. One matrix of Qwen-7B's MLP, 11,008 by 4,096, and more and more texts:
"""


# %%
def seconds_of(function):
    started = time.process_time()
    function()
    return torch.tensor(time.process_time() - started)


# %% id="one-vector-or-many"
generator = torch.Generator().manual_seed(0)
weight = torch.randn(11_008, 4096, generator=generator)
texts = [1, 2, 4, 8, 16, 32]
batches = {n: torch.randn(4096, n, generator=generator) for n in texts}
spent = least({n: lambda x=x: seconds_of(lambda: weight @ x) for n, x in batches.items()}, rounds=5)
seconds = [spent[n].item() for n in texts]
print(f"one text: {weight.numel() * 4 / seconds[0] / 1e9:.1f} GB/s are read")
assert seconds[-1] / 32 < seconds[0] / 4, "in company each text is at least four times cheaper"

# %%
show.curves(
    texts,
    {"each text": [1000 * s / n for s, n in zip(seconds, texts)]},
    title="In company a token is cheap: the weights are read once for all",
    x="texts in the batch",
    y="milliseconds for each text",
    log_x=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: a line that falls (from one text to two it may rise: torch has another routine for a single vector). Each text pays a share of the same reading, until the multiplications themselves take the time. So for one text at a time the *bandwidth of the memory* says how fast any program can write.
"""

# %% exercise="05_bandwidth"

# %% [markdown]
r"""
## 5.4 A softmax in parts

**Why.** The other end of the scale is *reading*: a prompt or a training text of T tokens at once. Attention then makes T · T weights: for T = 8,192 and one head 268 MB, used once and thrown away. Can the weights be avoided, when a softmax needs the sum over *all* keys first?

It can: a query keeps three things of the keys it has met.

$$m=\max_s x_s,\qquad l=\sum_s e^{x_s-m},\qquad o=\sum_s e^{x_s-m}v_s\qquad\text{with } x\text{: (T, S)},\ v\text{: (S, D)}$$

When a larger score m′ comes, the old sums shrink by $e^{m-m'}$. At the end the attention is o / l. By eye: scores log 1, log 2, log 4 and values 3, 6, 12. All at once: (1·3 + 2·6 + 4·12) / 7 = 9. In parts:
"""

# %% id="online-softmax-by-hand"
scores, values = torch.tensor([[1.0, 2.0, 4.0]]).log(), torch.tensor([[3.0], [6.0], [12.0]])
state = flash.empty_state(1, Dv=1)
for s in range(3):
    state = flash.online_softmax_step(state, scores[:, s : s + 1], values[s : s + 1])
    m, total, weighted = state
    print(
        f"e^m = {m.exp().item():.0f}, l = {total.item():.2f}, o = {weighted.item():.2f}, o/l = {(weighted / total).item():.2f}"
    )
assert (weighted / total).item() == 9


# %%
def attention_by_loops(scores, values):
    largest, total, weighted = -math.inf, 0.0, 0.0
    for x, v in zip(scores, values):
        new = max(largest, x)
        shrink = math.exp(largest - new)
        total = total * shrink + math.exp(x - new)
        weighted = weighted * shrink + math.exp(x - new) * v
        largest = new
    return weighted / total


# %% id="online-softmax-oracles"
T, S, D = 5, 7, 3
scores, values = torch.randn(T, S, generator=generator).double(), torch.randn(S, D, generator=generator).double()
at_once = scores.softmax(dim=-1) @ values
show.shapes(scores=scores, values=values, at_once=at_once)
for t in range(T):
    for d in range(D):
        assert math.isclose(attention_by_loops(scores[t].tolist(), values[:, d].tolist()), at_once[t, d].item())

# %% id="any-parts-in-any-order"
for cut in range(1, S):
    state = flash.empty_state(T, Dv=D, dtype=torch.float64)
    for part in (slice(cut, S), slice(0, cut)):  # the second part first
        state = flash.online_softmax_step(state, scores[:, part], values[part])
    assert_close(state.weighted / state.total[:, None], at_once)

# %% exercise="online_softmax_step"
block, begun = model.model.layers[0], torch.tensor([tokenizer.encode("Shall I compare thee to a summer's day?" * 3)])
with torch.no_grad():
    x = block.input_layernorm(model.model.embed_tokens(begun))
    q, k, v = block.self_attn.queries_keys_values(x, torch.zeros(1, x.shape[1], 16))
    library = flash.flash_attention(q, k, v, causal=True, block_q=16, block_k=16)
    with using(online_softmax_step):
        assert_close(flash.flash_attention(q, k, v, causal=True, block_q=16, block_k=16), library)
print("Flash attention in tiles of 16 by 16 runs on your step, on queries of the trained model.")

# %% [markdown]
r"""
## 5.5 Flash attention: forward

The table of scores is cut into tiles. For some queries at a time, walk along the keys, tile by tile, and take each in with one step. A tile is small enough to stay next to the processor, in its cache (on a GPU: in the fast memory of one core); the whole table is never written anywhere.
"""


# %%
def flash_by_loops(q, k, v, block_q, block_k):
    out = torch.zeros(len(q), v.shape[-1], dtype=q.dtype)
    for i in range(0, len(q), block_q):
        rows = q[i : i + block_q]
        state = flash.empty_state(len(rows), Dv=v.shape[-1], dtype=q.dtype)
        for j in range(0, len(k), block_k):
            tile = rows @ k[j : j + block_k].mT / q.shape[-1] ** 0.5
            state = flash.online_softmax_step(state, tile, v[j : j + block_k])
        out[i : i + block_q] = state.weighted / state.total[:, None]
    return out


# %% id="flash-is-exact"
T, S, D = 13, 17, 11
q, k, v = (torch.randn(n, D, generator=generator, dtype=torch.float64) for n in (T, S, S))
formula = attention.scaled_dot_product_attention(q, k, v)
for block_q in (1, 3, 5, 13, 64):
    for block_k in (1, 2, 7, 17, 64):
        assert_close(flash_by_loops(q, k, v, block_q, block_k), formula, atol=1e-10, rtol=0)
        ours = flash.flash_attention(q, k, v, block_q=block_q, block_k=block_k)
        assert_close(ours, formula, atol=1e-10, rtol=0)
show.shapes(q=q, k=k, v=v, ours=ours)

# %% [markdown]
r"""
**With a causal mask** whole tiles lie in the future and are skipped: almost half of the work. Only tiles on the edge need a mask inside:
"""

# %% id="tiles"
counted = show.tiles_plot(T=24, block_q=4, block_k=6)
assert counted.whole + counted.masked + counted.skipped == 6 * 4
plt.show()

# %% [markdown]
r"""
**What you should see**: a staircase, numbered in the order of work; a light area that is never touched. **Explore**: a window (a token sees only so many before it) turns the staircase into a band, whose area grows with T and no longer with T².
"""

# %% id="tile-controls"
tiles = show.tile_explorer()
tiles

# %% id="flash-masks"
seen = attention.causal_mask(T, S)
assert_close(flash.flash_attention(q, k, v, True, 5, 4), attention.scaled_dot_product_attention(q, k, v, seen))
behind = torch.arange(T)[:, None] + S - T - torch.arange(S)
near = attention.scaled_dot_product_attention(q, k, v, (behind >= 0) & (behind < 3))
assert_close(flash.flash_attention(q, k, v, True, 5, 4, window=3), near)
padding = torch.arange(S) >= 6
masked = flash.flash_attention(q, k, v, True, 5, 4, is_token=padding)
assert_close(masked, attention.scaled_dot_product_attention(q, k, v, seen & padding))
assert masked[:2].eq(0).all(), "queries that see no key get zeros, not NaN"

# %% [markdown]
r"""
## 5.6 Flash attention: backward

**Why is this harder?** The gradients need the weights P again, and P was never kept. So they are *computed again*, tile by tile: from q, k and one number for each query, the logarithm of its sum, $L=m+\ln l$:

$$P=e^{\,x-L},\qquad dV=P^\top dO,\qquad dX=P\odot\big(dO\,V^\top-\delta\big),\qquad \delta_t=\sum_d dO_{td}\,O_{td}$$

with $x, P, dX$: (T, S), $O, dO$: (T, D), $L, \delta$: (T). The softmax's gradient needs $\sum_s P_{ts}\,dP_{ts}$, a sum over all tiles; it equals δ, which needs only O:
"""

# %% id="backward-by-hand"
x = (q @ k.mT / D**0.5).requires_grad_()
out = x.softmax(dim=-1) @ v
d_out = torch.randn(out.shape, generator=generator, dtype=torch.float64)
[theirs] = torch.autograd.grad(out, x, d_out)
with torch.no_grad():
    log_sum = x.logsumexp(dim=-1, keepdim=True)
    shares, d_shares = (x - log_sum).exp(), d_out @ v.mT
    delta = (d_out * out).sum(dim=-1, keepdim=True)
    assert_close((shares * d_shares).sum(dim=-1, keepdim=True), delta)
    assert_close(shares * (d_shares - delta), theirs)
show.shapes(x=x, shares=shares, log_sum=log_sum, delta=delta)

# %% [markdown]
r"""
`flash_attention` is an `autograd.Function` that does just this in tiles. Against the gradients of the formula, and against finite differences:
"""

# %% id="flash-gradients"
inputs = [t.clone().requires_grad_() for t in (q, k, v)]
for block_q, block_k in ((1, 1), (5, 4), (64, 64)):
    ours = flash.flash_attention(*inputs, True, block_q, block_k)
    slow = attention.scaled_dot_product_attention(*inputs, seen)
    for mine, right in zip(*(torch.autograd.grad(o, inputs, d_out) for o in (ours, slow))):
        assert_close(mine, right, atol=1e-10, rtol=0)
small = [t[:5].detach().clone().requires_grad_() for t in inputs]
assert torch.autograd.gradcheck(lambda *a: flash.flash_attention(*a, True, 2, 3), small)

# %% [markdown]
r"""
## 5.7 What it saves

What waits in memory between the forward and the backward pass, counted exactly: every number that autograd keeps besides q, k and v themselves.
"""


# %%
def qkv_of(T, D=64):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 1, T, D, generator=generator).requires_grad_() for _ in range(3)]


def kept_megabytes(attend, T):
    inputs, kept = qkv_of(T), {}
    own = {x.untyped_storage().data_ptr() for x in inputs}

    def note(x):
        if x.untyped_storage().data_ptr() not in own:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() / 1e6
        return x

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        attend(*inputs)
    return sum(kept.values())


def by_formula(q, k, v):
    return attention.scaled_dot_product_attention(q, k, v, attention.causal_mask(q.shape[-2], k.shape[-2]))


def in_tiles(q, k, v):
    return flash.flash_attention(q, k, v, causal=True)


# %% id="memory-curves"
lengths = [256, 512, 1024, 2048, 4096]
kept = {name: [kept_megabytes(f, T) for T in lengths] for name, f in (("formula", by_formula), ("flash", in_tiles))}
assert math.isclose(kept["flash"][-1], 2 * kept["flash"][-2]), "linear: the result and a number for each query"
assert kept["formula"][-1] > 3.9 * kept["formula"][-2], "quadratic: the weights"
show.curves(
    lengths,
    kept,
    title=f"At T = 4,096 flash keeps {kept['formula'][-1] / kept['flash'][-1]:.0f} times less than the formula",
    x="length T",
    y="megabytes kept for the backward pass",
    log_x=True,
    log_y=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: two straight lines on these axes, one twice as steep as the other: T² against T.

And time, one head of 64 channels, causal, forward and backward:
"""


# %%
def both_passes(attend, T):
    inputs = qkv_of(T)
    return 1000 * seconds_of(lambda: torch.autograd.grad(attend(*inputs).sum(), inputs))


# %% id="time-curves"
turns = [
    least({"formula": lambda T=T: both_passes(by_formula, T), "flash": lambda T=T: both_passes(in_tiles, T)})
    for T in lengths
]
spent = {name: [each[name].item() for each in turns] for name in turns[0]}
assert spent["flash"][-1] < spent["formula"][-1], "less time, though it computes every weight twice"
show.curves(
    lengths,
    spent,
    title=f"At T = 4,096 flash takes {spent['flash'][-1] / spent['formula'][-1]:.0%} of the formula's time",
    x="length T",
    y="milliseconds, forward and backward",
    log_x=True,
    log_y=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: short texts gain nothing, each tile costs some calls of Python. Longer ones do: skipped tiles, and numbers that are used while they are near the processor. [RESULTS_FLASH.md](../benchmarks/RESULTS_FLASH.md) has both passes apart to T = 16,384, without a mask as well, the extra memory by torch's profiler, and how far torch's own kernel in C++ is ahead.

The model itself calls that kernel, `F.scaled_dot_product_attention`, which tiles in the same way. That it does what the formula does, but for rounding, is why it may.

## 5.8 The ladder

| rung | where it is checked |
| --- | --- |
| loops = the formula, and = minqwen's tiles, for every size | above |
| torch = the formula = minqwen's tiles, forward and backward | below; `tests/model/test_flash.py` with windows, padding, grouped heads |
| no cache = cache, token for token, padded or not, greedy or sampled | above; `tests/model/test_generate.py` |
| `transformers` = minqwen: what top-k and top-p keep, the penalty | `tests/model/test_generate.py` |
"""

# %% id="flash-ladder"
inputs = qkv_of(300)
toward = torch.randn(1, 1, 300, 64, generator=generator)
rungs = {
    "formula": by_formula(*inputs),
    "torch": F.scaled_dot_product_attention(*inputs, is_causal=True),
    "minqwen": flash.flash_attention(*inputs, True, 64, 96),
}
right = torch.autograd.grad(rungs["formula"], inputs, toward)
for name, out in rungs.items():
    grads = torch.autograd.grad(out, inputs, toward) if name != "formula" else right
    gap = max((a - b).abs().max().item() for a, b in zip((out, *grads), (rungs["formula"], *right)))
    print(f"{name:8} largest difference from the formula, gradients included: {gap:.0e}")
    assert gap < 1e-5

# %% [markdown]
r"""
## 5.9 Put right

> "Flash attention is an approximation: faster, and a little less accurate."

It computes the same sums in another order. In float32 both are as far from the exact result:
"""

# %% id="flash-is-no-approximation"
q, k, v = (x.detach() for x in qkv_of(2048))
exact = by_formula(q.double(), k.double(), v.double())
errors = {f.__name__: (f(q, k, v) - exact).abs().max().item() for f in (by_formula, in_tiles)}
print(errors)
assert errors["in_tiles"] < 3 * errors["by_formula"] < 1e-4

# %% [markdown]
r"""
## 5.10 Not shown at this size

* Flash attention was made for GPUs, where the gap between fast and slow memory is larger than here; the report trains with it (section 2.4). Our curves show the idea on one core.
* Servers write for many users at once: paged caches, prompts that share their beginning, requests that join a running batch. Qwen's own code can also keep its cache in 8 bits. None of it is built here.

## Summary · 小结

1. Writing is a loop: scores, choose, append. · 写作是一个循环：打分、选择、追加。
2. Temperature reshapes, top-k and top-p cut; the nucleus adapts to how sure the model is. · 温度改变分布，top-k 与 top-p 截断；核的大小随模型的把握而变。
3. A cache keeps keys and values; it changes the time, and no token. · 缓存保存键和值，只改变时间，不改变任何词元。
4. One token costs the reading of all weights; a batch shares it. · 每个词元都要读一遍权重，批量可以分摊。
5. A softmax in parts makes attention linear in memory, and exact. · 分块的 softmax 让注意力的内存线性增长，且结果精确。

**Your prediction**: 21,500 positions without a cache, 104 times as many as with one.

**Recall**

<details><summary>1. Two tokens have 0.5 and 0.3; top-p is 0.6. Which may be drawn?</summary>

Both: the first alone does not reach 0.6, and the token that crosses the line belongs to the nucleus.

</details>
<details><summary>2. Why may keys of the past be kept at all?</summary>

No token sees what comes after it, so its keys and values never change.

</details>
<details><summary>3. Your model reads 14 GB for each token and memory gives 100 GB/s. How fast can it write?</summary>

Seven tokens a second, for one text. Ten texts at once: about seven each.

</details>
<details><summary>4. What happens to the old sums when a larger score comes?</summary>

They are multiplied by e^(m − m′).

</details>
<details><summary>5. Where does the backward pass of flash attention get the weights from?</summary>

It computes them again from q, k and the stored logarithm of each row's sum.

</details>
"""
