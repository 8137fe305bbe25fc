# %% [markdown]
r"""
# 01 · Attention · 注意力

**How does a token find out what the other tokens know?** · **一个词元如何知道其他词元的信息?**

| | |
| --- | --- |
| Paper | Vaswani et al. 2017, *Attention Is All You Need* ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)), section 3.2; Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), section 2.3 |
| You will have built | causal masks, scaled dot-product attention, multi-head attention, and looked into a trained model with them |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | Python, PyTorch tensors and their shapes; what a matrix product, a variance and a gradient are |
| Exercises | 1.1 a variance · 1.2 causal_mask · 1.3 scaled_dot_product_attention · 1.4 a bug · 1.5 split_heads · 1.6 multi_head_attention |

Everything here runs on two CPU cores without a network. What the text claims about formulas and about the model, a cell near it checks with `assert`: run it, change it, break it.
"""

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.testing import assert_close

from minqwen.check import check, hint, using

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown]
r"""
The letters of every shape in this course: **B** sequences in a batch, **T** query positions, **S** key positions, **C** model width, **H** heads, **D** width of one head, so C = H · D.
"""

# %% tags=["setup"]
from minqwen import assets, show
from minqwen.model import Qwen, attention
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
## 1.0 Look first

This is the model that the whole course is about: a Qwen of 4.2 million parameters, trained on Shakespeare, Milton and the poems of the Tang. **Type your own sentence** below, choose a layer and a head, and watch which earlier tokens each token looks at.
"""

# %%
w = show.inspector(model, tokenizer, "To be, or not to be, that is the question", layer=3, head=0)
w

# %% [markdown]
r"""
**What you should see**: rows are tokens that ask, columns are tokens that are asked; each row adds up to 1; above the diagonal there is nothing, because a token cannot look into the future.

**Predict**, before any code: *if you shuffle the words of a sentence and feed them to attention without a mask, what changes in the output?* Write your guess down; the summary asks again.

## 1.1 Asking and answering: Q, K, V

**Why.** A token alone does not know what it means: `bank` needs `river` or `money`. Some token must *ask*, the others must *answer*, and the answer must be a mixture whose shares are learned.

Every token makes three vectors, by three learned matrices that section 1.4 shows: a **query** q (what I look for), a **key** k (what I offer), a **value** v (what I say if asked). The number $q_t\cdot k_s/\sqrt D$ is the **score** of the pair; section 1.2 explains the $\sqrt D$. The share that query $t$ gives to key $s$ is $e$ to its score, divided by the sum over all keys; that quotient is called **softmax**:

$$\text{weights}_{ts} = \frac{e^{q_t\cdot k_s/\sqrt D}}{\sum_{s'} e^{q_t\cdot k_{s'}/\sqrt D}},\qquad \text{out}_t = \sum_s \text{weights}_{ts}\, v_s$$

with $q$: (T, D), $k$: (S, D), $v$: (S, any width), weights: (T, S), out: as wide as v. In code, `q @ k.mT` makes all scores at once: `.mT` exchanges the last two axes.

The smallest example: one query and three keys of width 2, and values of width 1.
"""

# %%
q = torch.tensor([[2.0, 0.0]])
k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
v = torch.tensor([[10.0], [20.0], [30.0]])
scores = q @ k.mT / 2**0.5
show.shapes(q=q, k=k, v=v, scores=scores)

# %%
weights = scores.softmax(dim=-1)
print(weights, weights @ v)
assert weights.argmax() == 0, "the key that points the way of the query gets the most"

# %% [markdown]
r"""
The same in plain loops, for any sizes. This is the definition that everything below is compared with.
"""


# %%
def attention_by_loops(q, k, v, mask):
    out = torch.zeros(len(q), v.shape[-1], dtype=q.dtype)
    for t in range(len(q)):
        allowed = [s for s in range(len(k)) if mask[t][s]]
        shares = [torch.exp(q[t] @ k[s] / q.shape[-1] ** 0.5) for s in allowed]
        for share, s in zip(shares, allowed):
            out[t] += share / sum(shares) * v[s]
    return out


# %% [markdown]
r"""
In the next cells every size is a different prime number, so that a shape tells which axis is which.
"""

# %%
generator = torch.Generator().manual_seed(0)
B, H, T, S, D = 2, 3, 5, 7, 11
q = torch.randn(B, H, T, D, generator=generator, dtype=torch.float64)
k, v = torch.randn(2, B, H, S, D, generator=generator, dtype=torch.float64)
weights = attention.attention_weights(q, k)
show.shapes(q=q, k=k, v=v, weights=weights)

# %%
everything = torch.ones(T, S, dtype=torch.bool)
by_loops = attention_by_loops(q[0, 0], k[0, 0], v[0, 0], everything)
assert_close(by_loops, attention.scaled_dot_product_attention(q, k, v)[0, 0])
assert_close(weights.sum(dim=-1), torch.ones(B, H, T, dtype=torch.float64))

# %% [markdown]
r"""
## 1.2 Why divide by √D

**Why.** A score is a sum of D products. Suppose the entries of q and k are independent, with mean 0 and variance 1. How large do scores get when heads get wider? Think first, then measure.
"""

# %% exercise="01_variance"

# %% id="variance-of-scores"
widths = torch.tensor([4, 16, 64, 256, 1024])
samples = [torch.randn(2, 20_000, d, generator=generator) for d in widths.tolist()]
unscaled = torch.stack([(q * k).sum(-1).var() for q, k in samples])
assert_close(unscaled / widths, torch.ones(5), atol=0.1, rtol=0)
assert_close(
    torch.stack([((q * k).sum(-1) / d**0.5).var() for (q, k), d in zip(samples, widths)]),
    torch.ones(5),
    atol=0.1,
    rtol=0,
)

# %%
show.curves(
    widths,
    {"q · k": unscaled, "q · k / √D": unscaled / widths},
    title="The variance of a score grows with the width D; with the scale it is 1",
    x="width of a head D",
    y="variance",
    log_x=True,
    log_y=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: without the scale a straight rise, variance = D; with it a flat line at 1.

What does that do to learning? Large scores make the softmax choose one key and ignore the rest: one weight is 1, the others are 0. There the softmax is flat, and no gradient comes through. Measured with random queries and keys:
"""


# %%
def gradient_through_softmax(d, scale):
    q, k = torch.randn(200, 1, d, generator=generator), torch.randn(200, 32, d, generator=generator)
    scores = (scale * q @ k.mT).squeeze(1).requires_grad_()
    weight_of_first = scores.softmax(dim=-1)[:, 0]
    return torch.autograd.grad(weight_of_first.sum(), scores)[0].norm(dim=-1).median()


# %% id="softmax-gradient"
scaled = torch.stack([gradient_through_softmax(d, scale=d**-0.5) for d in widths.tolist()])
collapsed = torch.stack([gradient_through_softmax(d, scale=1.0) for d in widths.tolist()])
assert collapsed[-1] < 1e-6 * scaled[-1], "without the scale the gradient dies at D = 1024"
assert scaled.max() < 2 * scaled.min(), "with the scale it hardly depends on D"

# %%
show.curves(
    widths,
    {"with 1/√D": scaled, "without": collapsed.clamp(min=1e-12)},
    title="Without the scale, wide heads cannot learn: their gradient is gone",
    x="width of a head D",
    y="median gradient norm",
    log_x=True,
    log_y=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: with the scale the gradient is about the same for every width; without it, it falls by many orders of magnitude (values below 10⁻¹² are drawn there).
"""

# %% [markdown]
r"""
## 1.3 Masks: who may look at whom

**Why.** A language model is trained to say the next token. If position 3 could read position 4, it would copy the answer. A **mask** says which pairs are allowed. In this course a mask is always boolean, and **True = may be attended**.

The causal mask of T queries and S ≥ T keys: the queries are the *last* T positions, so query $t$ sits at position $t + S - T$ and sees

$$\text{mask}_{ts} = \big(s \le t + S - T\big),\qquad \text{mask: (T, S)}$$
"""

# %%
mask = attention.causal_mask(T=3, S=5)
assert mask.tolist() == [[s <= t + 5 - 3 for s in range(5)] for t in range(3)]
show.heatmap(
    mask.int(),
    title="Three new tokens see their past: two cached tokens and themselves",
    x="key position S",
    y="query position T",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the staircase ends in the lower right corner, and the first query already sees three keys.

A forbidden score becomes −∞ *before* the softmax, so its weight is exactly 0 and the others still add up to 1.
"""

# %%
scores = q @ k.mT / D**0.5
mask = attention.causal_mask(T, S)
weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
assert weights[..., ~mask].eq(0).all(), "a token looked into the future"
assert_close(weights @ v, attention.scaled_dot_product_attention(q, k, v, mask))

# %%
assert_close(attention_by_loops(q[1, 2], k[1, 2], v[1, 2], mask), (weights @ v)[1, 2])
show.heatmap(weights[0, 0], title="Each token averages itself and its past", x="key position S", y="query position T")
plt.show()

# %% [markdown]
r"""
**What you should see**: numbers only where the mask allows them, and rows that add up to 1.
"""

# %% [markdown]
r"""
From here on exercises run inside the model: **`with using(your_function):`** makes the whole library call your function instead of its own, until the end of the block.
"""

# %% exercise="causal_mask"
with using(causal_mask), torch.no_grad():
    ids = torch.tensor([tokenizer.encode("Shall I compare thee to a summer's day?")])
    longer = torch.cat([ids, ids], dim=-1)
    assert_close(model(longer)[:, : ids.shape[-1]], model(ids), atol=1e-4, rtol=0)
    print("With this mask no logit of the whole model changes when later tokens arrive.")

# %% exercise="scaled_dot_product_attention"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("《静夜思》李白\n床前明月光")])
    library = model(ids)
    with using(scaled_dot_product_attention):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% [markdown]
r"""
### Padding

Sentences of a batch have different lengths; the short ones are filled up, here on the left. Padding must change nothing. So it is masked as a *key*, and positions (lesson 02) are counted without it.
"""

# %%
short, long = tokenizer.encode("my love"), tokenizer.encode("to be or not to be")
width = max(len(short), len(long))
batch = torch.tensor([[0] * (width - len(x)) + x for x in (short, long)])
is_token = torch.tensor([[False] * (width - len(x)) + [True] * len(x) for x in (short, long)])
show.shapes(batch=batch, is_token=is_token)

# %% id="padding"
with torch.no_grad():
    together, alone = model(batch, is_token), model(torch.tensor([short]))
assert_close(together[0, -len(short) :], alone[0], atol=1e-4, rtol=0)

# %% exercise="01_mask_after_softmax"

# %% [markdown]
r"""
## 1.4 Many heads

**Why.** One softmax can make one mixture. A token often needs several at once: the word before it, the verb, the line it rhymes with. So the C channels are cut into H **heads** of D = C/H neighbouring channels, each with its own scores, and the results are laid side by side again and mixed by a last matrix:

$$\text{head}_h=\text{attention}(xW^{Q\top}_h, xW^{K\top}_h, xW^{V\top}_h),\qquad \text{out}=\text{concat}(\text{head}_1,\dots,\text{head}_H)\,W^{O\top}$$

with $x$: (B, T, C), the four matrices (C, C) as (out, in) like `nn.Linear`, out: (B, T, C). Six channels in three heads, by eye:
"""

# %%
x = torch.arange(12).view(2, 6)  # T = 2 tokens of C = 6 channels
heads = attention.split_heads(x.float(), n_heads=3)
show.shapes(x=x, heads=heads)
print(heads.int().tolist())
assert heads[1].tolist() == [[2, 3], [8, 9]], "head 1 owns channels 2 and 3 of each token"

# %% exercise="split_heads"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("HAMLET.\nTo be, or not to")])
    library = model(ids)
    with using(split_heads):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% [markdown]
r"""
The whole of multi-head attention, held against PyTorch's own module with the same weights.
"""

# %%
C, heads = 30, 5
x = torch.randn(B, T, C, generator=generator, dtype=torch.float64)
wq, wk, wv, wo = torch.randn(4, C, C, generator=generator, dtype=torch.float64) / C**0.5
ours = attention.multi_head_attention(x, wq, wk, wv, wo, heads, attention.causal_mask(T, T))
show.shapes(x=x, wq=wq, ours=ours)

# %% id="equals-torch"
theirs = nn.MultiheadAttention(C, heads, bias=False, batch_first=True, dtype=torch.float64)
theirs.load_state_dict({"in_proj_weight": torch.cat([wq, wk, wv]), "out_proj.weight": wo})
# In torch a boolean mask means the opposite: True = may not be attended.
assert_close(ours, theirs(x, x, x, attn_mask=~attention.causal_mask(T, T), need_weights=False)[0])

# %% exercise="multi_head_attention"
rng = torch.Generator().manual_seed(0)
tokens, weights = torch.randn(2, 5, 30, generator=rng), torch.randn(4, 30, 30, generator=rng) / 5
theirs = torch.nn.MultiheadAttention(30, 3, bias=False, batch_first=True)
theirs.load_state_dict({"in_proj_weight": weights[:3].flatten(0, 1), "out_proj.weight": weights[3]})
allowed = attention.causal_mask(5, 5)  # torch's own mask is the opposite: True where nobody may look
yours = multi_head_attention(tokens, *weights, n_heads=3, mask=allowed)
assert_close(yours, theirs(tokens, tokens, tokens, attn_mask=~allowed)[0], atol=1e-5, rtol=1e-4)
print("PyTorch's own nn.MultiheadAttention says the same.")

# %% [markdown]
r"""
**The order of tokens.** Attention adds up over *sets*: nothing in the formula knows which token came first. Shuffle the tokens, and the outputs are the same, shuffled. (Here is the answer to the prediction.)
"""

# %% id="permutation"
order = torch.tensor([3, 0, 4, 1, 2])
plain = attention.multi_head_attention(x, wq, wk, wv, wo, heads)
assert_close(attention.multi_head_attention(x[:, order], wq, wk, wv, wo, heads), plain[:, order])

# %% [markdown]
r"""
So without something else a Transformer reads a bag of words. That something is lesson 02. Even the causal mask breaks the symmetry a little, which is why it is left out here:
"""

# %%
causal = attention.causal_mask(T, T)
masked = attention.multi_head_attention(x, wq, wk, wv, wo, heads, causal)
assert not attention.multi_head_attention(x[:, order], wq, wk, wv, wo, heads, causal).allclose(masked[:, order])

# %% [markdown]
r"""
## 1.5 What heads learn

**Why.** Nobody tells a head what to do. After training, many have a job that can be measured. Three jobs, each a number between 0 and 1, the mean attention on a target:

* **previous token**: query $t$ on key $t-1$;
* **first token** (a *sink*: a place to park attention that is not needed): query $t$ on key $0$;
* **induction**: on a text of random tokens that is repeated, query $t$ on the token *after* the earlier copy of itself. Such a head continues patterns it has seen once ([Olsson et al. 2022](https://arxiv.org/abs/2209.11895)).

The weights come out of the model by PyTorch's hooks (functions that are called with what a layer receives), so the lesson computes the weights again from exactly what each layer of the model receives. The text is from plays that the model has never read.
"""

# %%
from minqwen.data import corpus

scenes = [tokenizer.encode("<|endoftext|>" + d.text, allow_control=True) for d in corpus.load("held_out", "en")]
ids = torch.tensor([scene[:96] for scene in scenes if len(scene) >= 96][:12])
maps = torch.stack([show.attention_maps(model, row) for row in ids])
show.shapes(ids=ids, maps=maps)
assert_close(maps.sum(dim=-1), torch.ones(maps.shape[:-1]), atol=1e-5, rtol=0)

# %% id="previous-token-heads"
previous = torch.stack([show.previous_token_score(each) for each in maps]).mean(dim=0)
assert previous.max() > 0.5, "at least one head mostly looks one token back"
show.heatmap(previous, title="A few heads mostly look one token back", x="head H", y="layer", high=1.0)
plt.show()

# %% [markdown]
r"""
**What you should see**: most cells dark, a few light. The lightest head gives most of its attention to the token just before.
"""

# %% id="first-token-heads"
first = torch.stack([show.first_token_score(each) for each in maps]).mean(dim=0)
layer, head = divmod(first.argmax().item(), model.config.n_heads)
print(f"best sink: layer {layer}, head {head}, with {first.max():.2f} of its attention on the first token")
assert first.max() < 0.5, "no head of this model rests on the first token most of the time"

# %% [markdown]
r"""
For induction, 50 random tokens, twice, in four draws. Chance is the mean share of one key among the 51 to 100 that a query of the second copy sees.
"""

# %% id="induction-heads"
halves = torch.randint(300, 3000, (4, 50), generator=generator)
repeated = torch.cat([halves, halves], dim=-1)
induction = torch.stack([show.induction_score(show.attention_maps(model, row), period=50) for row in repeated]).mean(
    dim=0
)
chance = (1 / torch.arange(51, 101)).mean()
print(f"best induction head: {induction.max():.3f}, by chance: {chance:.3f}")
assert induction.max() < 3 * chance, "no head of this model copies"

# %% [markdown]
r"""
**Not at this size**: our model has hardly learned to copy what it has seen once; poems and plays seldom repeat themselves word for word. You now know how to find such a head in a model that has one.

### Switch them off and look

A score says what a head looks at. Whether the model *needs* it is another question, with another experiment: set the output of one head to zero and measure the loss. **Predict**: will the heads with the highest previous-token scores cost most?
"""


# %%
@torch.no_grad()
def nats_per_token(heads):
    with show.ablate_heads(model, heads):
        logp = model(ids[:, :-1]).log_softmax(dim=-1)
    return -logp.gather(-1, ids[:, 1:, None]).mean().item()


# %% id="ablation"
n_layers, n_heads = model.config.n_layers, model.config.n_heads
whole = nats_per_token([])
cost = torch.tensor([[nats_per_token([(i, h)]) - whole for h in range(n_heads)] for i in range(n_layers)])
show.heatmap(
    cost, title=f"What the model loses without each head (all heads: {whole:.2f} nats a token)", x="head H", y="layer"
)
plt.show()

# %% id="named-is-not-needed"
layer, head = divmod(cost.argmax().item(), n_heads)
print(
    f"the costliest head, layer {layer} head {head}: {cost.max():+.2f} nats, previous-token score {previous[layer, head]:.2f}"
)
layer, head = divmod(previous.argmax().item(), n_heads)
print(f"the best previous-token head, layer {layer} head {head}: {cost[layer, head]:+.2f} nats")
assert cost.max() > 3 * cost.flatten()[previous.argmax()], (
    "a head that is easy to name need not be the one that matters"
)

# %% id="layer-0-looks-at-itself"
itself = maps.diagonal(dim1=-2, dim2=-1).mean(dim=(0, -1))
print("attention on the token itself, mean of each layer:", [f"{share:.2f}" for share in itself.mean(dim=-1)])
assert itself[0].mean() > 2 * itself[1:].mean()

# %% [markdown]
r"""
**What you should see**: the costly heads are in layer 0, and none of our three names fits them: they look mostly at the token itself and rewrite it for the layers above. Most single heads of the upper layers can go almost unnoticed: others do similar work. So report both: what a head looks at, and what is lost without it.

### In a model that has them

SmolLM2-135M-Instruct ([Allal et al. 2025](https://arxiv.org/abs/2502.02737)) has 30 layers of 9 heads, and is of the same family as ours: lesson 04 loads it with the same code. `python3 course.py real-model` fetches it once; the cells of this section take about 15 seconds with it, and do nothing without it.

**Predict**: it reads a list of 50 random tokens, and then the same list again. In the second copy it could say every token in advance. How many of its 270 heads must be off until it cannot?
"""

# %% tags=["real"] id="real-jobs"
real = Qwen.from_pretrained(assets.REAL_MODEL) if assets.REAL_MODEL.exists() else None
if real is None:
    print("The real model is not here; python3 course.py real-model fetches it (93 MB).")
else:
    draw = torch.Generator().manual_seed(0)
    lists = torch.randint(1000, real.config.vocab_size, (2, 50), generator=draw)
    twice = torch.cat([lists, lists], dim=-1)
    seen = [show.attention_maps(real, row) for row in twice]
    jobs = {
        "previous token": torch.stack([show.previous_token_score(each) for each in seen]).mean(dim=0),
        "first token": torch.stack([show.first_token_score(each) for each in seen]).mean(dim=0),
        "induction": torch.stack([show.induction_score(each, period=50) for each in seen]).mean(dim=0),
    }
    for job, score in jobs.items():
        layer, head = divmod(score.argmax().item(), real.config.n_heads)
        print(f"{job:15} best: layer {layer}, head {head}, score {score.max():.2f}")
        assert score.max() > 0.7, "each of the three jobs has a head that does little else"

# %% [markdown]
r"""
All three jobs exist, and each has its specialist. Now switch off the eight best induction heads, and compare with eight others, in five random draws; and, alone, the one head that is best at looking at the previous token.
"""


# %% tags=["real"] id="real-ablation"
@torch.no_grad()
def logp_of_next(off):
    with show.ablate_heads(real, off):
        logp = real(twice[:, :-1]).log_softmax(dim=-1)
    return logp.gather(-1, twice[:, 1:, None]).mean(dim=(0, -1))


if real is not None:
    best_first = jobs["induction"].flatten().argsort(descending=True).tolist()
    copiers = [divmod(i, real.config.n_heads) for i in best_first[:8]]
    looks_back = divmod(jobs["previous token"].argmax().item(), real.config.n_heads)
    others = [pair for i in best_first[8:] if (pair := divmod(i, real.config.n_heads)) != looks_back]
    draws = [[others[i] for i in torch.randperm(len(others), generator=draw)[:8]] for _ in range(5)]
    at_random = torch.stack([logp_of_next(heads) for heads in draws])
    lines = {
        "all heads on": logp_of_next([]),
        "8 random heads off": at_random.mean(dim=0),
        "1 previous-token head off": logp_of_next([looks_back]),
        "8 induction heads off": logp_of_next(copiers),
    }
    first_copy, second_copy = slice(None, 49), slice(50, None)  # entry t is about token t + 1
    for name, logp in lines.items():
        print(f"{name:26} first copy {logp[first_copy].mean():6.1f}, second copy {logp[second_copy].mean():6.1f}")
    print("the five random draws, second copy:", [f"{logp[second_copy].mean():.1f}" for logp in at_random])
    lost = {name: (lines["all heads on"] - logp)[second_copy].mean() for name, logp in lines.items()}
    assert lost["8 induction heads off"] > 4 * lost["8 random heads off"]
    assert lost["1 previous-token head off"] > 2 * lost["8 random heads off"]
    assert (lines["all heads on"] - lines["8 induction heads off"])[first_copy].mean().abs() < 0.5

# %% tags=["real"] id="real-ablation-figure"
if real is not None:
    show.curves(
        torch.arange(1, 100),
        lines,
        title="Without eight induction heads it cannot repeat what it has just read",
        x="position; the second copy begins at 50",
        y="log-probability of the token (nats)",
    )
plt.show()

# %% [markdown]
r"""
**What you should see**: in the first copy, which nothing foretells, all four lines run together: the heads that are off are not missed there. From position 51 on, the whole model climbs within a few tokens almost to the top; eight random heads hardly hold it back; without the eight induction heads it stays about where it was.

The third line is the surprise: a *single* head, which only looks one token back, costs more than eight random ones. An induction head looks for the token *after* the earlier copy, and a key can only be found as such if something has told it which token stood before: the two kinds of head work as a pair, one above the other ([Olsson et al. 2022](https://arxiv.org/abs/2209.11895)).

## 1.6 Explore

The inspector at the top has all of this: go back, choose the best previous-token head that you have just found, and look for the line beside the diagonal. All controls work by keyboard: Tab to move between them, arrow keys to change them.

The same view as one page that needs no kernel and no network (open `attention.html` in the file browser and keep it):
"""

# %%
page = show.attention_page(
    model, tokenizer, ["To be, or not to be, that is the question", "床前明月光，疑是地上霜。"], "attention.html"
)

# %% [markdown]
r"""
## 1.7 The ladder

Four ways to the same numbers. Each rung was asserted above; here they are side by side.
"""

# %%
q, k, v = torch.randn(3, 1, 1, T, D, generator=generator, dtype=torch.float64)
mask = attention.causal_mask(T, T)
rungs = {
    "loops": attention_by_loops(q[0, 0], k[0, 0], v[0, 0], mask),
    "matrix products": (attention.attention_weights(q, k, mask) @ v)[0, 0],
    "minqwen": attention.scaled_dot_product_attention(q, k, v, mask)[0, 0],
    "torch": nn.functional.scaled_dot_product_attention(q, k, v, mask)[0, 0],
}
for name, out in rungs.items():
    print(f"{name:16} largest difference from the loops: {(out - rungs['loops']).abs().max():.0e}")
    assert_close(out, rungs["loops"])

# %% [markdown]
r"""
## 1.8 Put right

> "The attention weight says how much a token matters."

Not quite. What a token adds is **weight times value**, and values differ in length. Two literal tokens first:
"""

# %%
weights = torch.tensor([0.9, 0.1])
values = torch.tensor([[0.01, 0.0], [0.0, 5.0]])
added = weights[:, None] * values
assert added.norm(dim=-1).argmax() == 1, "the token with a tenth of the weight adds fifty times as much"

# %% [markdown]
r"""
And in the trained model: how often is the key with the largest weight *not* the one that adds the longest vector?
"""

# %% id="weight-is-not-contribution"
added = show.contributions(model, ids[0])
share = (added.argmax(dim=-1) != maps[0].argmax(dim=-1))[:, :, 1:].float().mean().item()
show.shapes(added=added)
print(f"for {share:.0%} of all queries and heads the largest weight is not the largest contribution")
assert share > 0.02

# %% [markdown]
r"""
## 1.9 Not shown at this size

* Qwen-7B has 32 layers of 32 heads with D = 128; ours has 6 of 6 with D = 32. Large models have many more heads with clear jobs; sinks and induction heads, which ours hardly has, are common there.
* The report trains with *flash attention*, which never stores the (T, S) weights. It gives the same numbers; lesson 05 builds it.

## Summary · 小结

1. A query asks, keys answer, values are mixed; the shares are a softmax. · 查询提问，键作答，值按 softmax 的份额混合。
2. Dividing by √D keeps scores at variance 1 and gradients alive. · 除以 √D 使分数方差为 1，梯度不会消失。
3. A mask is True where attending is allowed, and acts before the softmax. · 掩码为 True 处可被关注，且必须在 softmax 之前起作用。
4. Heads are slices of channels with mixtures of their own; W^O mixes the results. · 各头是通道的切片，各自混合，再由 W^O 合并。
5. Attention without positions sees a set: shuffle in, shuffle out. · 没有位置信息的注意力只看到集合：输入打乱，输出随之打乱。

**Your prediction**: what changes when the words are shuffled? Only the order of the outputs.

**Recall**

<details><summary>1. Why does the score have variance D without the scale?</summary>

It is a sum of D independent products, each of variance 1; variances of independent terms add up.

</details>
<details><summary>2. What goes wrong when the mask is applied after the softmax?</summary>

The future has already taken its share in the denominator: the rows no longer add up to 1, and the size of what is left tells about the future.

</details>
<details><summary>3. T = 1 new token, S = 9: what does the causal mask look like?</summary>

One row of nine True: the newest token may see everything, so decoding needs no mask.

</details>
<details><summary>4. Why is there a W^O after the heads are laid side by side?</summary>

Without it head h could write only to its own D channels; W^O lets every head write to all C.

</details>
<details><summary>5. What would a previous-token head need that this lesson has not explained?</summary>

A way to know which token is the previous one. The scores of this lesson see contents only; positions come in lesson 02.

</details>
"""
