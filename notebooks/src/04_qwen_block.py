# %% [markdown]
r"""
# 04 · The Qwen block · Qwen 模块

**What did Qwen change in the Transformer, and what is each change for?** · **Qwen 改动了 Transformer 的哪些部分，各有何用？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), section 2.3; Zhang and Sennrich 2019 ([arXiv:1910.07467](https://arxiv.org/abs/1910.07467)); Shazeer 2020 ([arXiv:2002.05202](https://arxiv.org/abs/2002.05202)); Ainslie et al. 2023 ([arXiv:2305.13245](https://arxiv.org/abs/2305.13245)) |
| You will have built | RMSNorm, SwiGLU, the width rule, grouped heads; counted every parameter of the 7B model; loaded real weights |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 01 and 02 |
| Exercises | 4.1 rms_norm · 4.2 swiglu · 4.3 a bug · 4.4 ffn_width · 4.5 repeat_kv · 4.6 untying · 4.7 and 4.8 two bugs |
"""

# %% tags=["setup"]
import dataclasses

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, attention, mlp, norm
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
## 4.0 Look first

One layer of Qwen, in two lines of code:

    x = x + attention(norm(x))
    x = x + mlp(norm(x))

| part | Transformer, 2017 | LLaMA | Qwen | section |
| --- | --- | --- | --- | --- |
| positions | sinusoids, added | RoPE | RoPE, frequencies in FP32 | lesson 02 |
| norm | LayerNorm *after* the addition | RMSNorm *before* | RMSNorm *before* | 4.1, 4.6 |
| MLP | two matrices, ReLU, width 4C | three, SwiGLU, 8/3 C | three, SwiGLU, 8/3 C | 4.2, 4.3 |
| biases | everywhere | none | on Q, K and V only | 4.7 |
| embedding and output | tied | untied | untied | 4.5 |

Where are the parameters of our model? **Predict**: which holds more, all attention layers together or the two vocabulary matrices?
"""

# %%
torch.set_printoptions(precision=3, sci_mode=False)
parts = {
    "embedding": model.model.embed_tokens,
    "attention": nn.ModuleList(block.self_attn for block in model.model.layers),
    "MLP": nn.ModuleList(block.mlp for block in model.model.layers),
    "output": model.lm_head,
}
counts = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in parts.items()}
norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)

# %% id="where-the-parameters-are"
assert_close(sum(counts.values()) + norms / 1e6, model.config.n_parameters / 1e6)
assert counts["embedding"] + counts["output"] > counts["attention"]
show.bars(
    list(counts.values()),
    list(counts),
    title=f"Where our {model.config.n_parameters:,} parameters are",
    x="million parameters",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: in a model this small the two vocabulary matrices outweigh attention. In the 7B model it is the other way round (section 4.5).

## 4.1 RMSNorm: keep the direction, fix the length

**Why.** Every block adds to the stream x, so x grows with depth, and a layer cannot know how large its input will be. A norm before each block gives it inputs of one size. LayerNorm subtracts the mean and divides by the deviation; RMSNorm leaves the mean alone and is cheaper:

$$\text{rms\_norm}(x)_c=\frac{x_c}{\sqrt{\tfrac1C\sum_{c'}x_{c'}^2+\varepsilon}}\;w_c,\qquad x\text{: (B, T, C)},\ w\text{: (C)}$$

By eye: the mean square of (3, 4) is 12.5, its root 3.54.
"""

# %%
x, ones = torch.tensor([3.0, 4.0]), torch.ones(2)
print(norm.rms_norm(x, ones))
assert_close(norm.rms_norm(x, ones), x / 12.5**0.5, atol=1e-6, rtol=0)


# %%
def rms_norm_by_loops(row, weight, eps):
    mean_square = sum(value * value for value in row) / len(row)
    return [value / (mean_square + eps) ** 0.5 * w for value, w in zip(row, weight)]


# %% id="rms-norm-oracles"
B, T, C = 2, 5, 7
generator = torch.Generator().manual_seed(0)
x = torch.randn(B, T, C, generator=generator, dtype=torch.float64)
weight = torch.randn(C, generator=generator, dtype=torch.float64)
ours = norm.rms_norm(x, weight)
show.shapes(x=x, weight=weight, ours=ours)

# %%
by_loops = rms_norm_by_loops(x[1, 2].tolist(), weight.tolist(), 1e-6)
assert_close(ours[1, 2], torch.tensor(by_loops, dtype=torch.float64))
assert_close(ours, F.rms_norm(x, (C,), weight, eps=1e-6))
assert_close(norm.rms_norm(1000 * x, weight, eps=1e-12), norm.rms_norm(x, weight, eps=1e-12))  # the size is forgotten

# %% [markdown]
r"""
What the stream looks like in the trained model, before each block reads it:
"""


# %%
def stream_sizes(ids):
    sizes = []
    with torch.no_grad():
        hooks = [
            block.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].square().mean().sqrt().item()))
            for block in model.model.layers
        ]
        model(ids)
    for hook in hooks:
        hook.remove()
    return sizes


# %% id="the-stream-grows"
scenes = [tokenizer.encode("<|endoftext|>" + d.text, allow_control=True) for d in corpus.load("held_out", "en")]
ids = torch.tensor([scene[:96] for scene in scenes if len(scene) >= 96][:12])
sizes = stream_sizes(ids)
assert sizes[-1] > 2 * sizes[0], "the stream grows with depth"
show.curves(
    list(range(len(sizes))),
    {"root mean square": sizes},
    title="The stream grows from layer to layer; the norm hides that",
    x="layer",
    y="size of the stream x",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: a rising line. Whatever its height, every block reads vectors of mean square 1 (times its learned weight).

**Half precision.** The square of 300 is 90,000, and float16 ends at 65,504. So squares and their mean are taken in float32:
"""

# %% id="float16-squares"
x = torch.full((4,), 300.0, dtype=torch.float16)
assert x.square().isinf().all(), "in float16 the squares are lost"
assert_close(norm.rms_norm(x, torch.ones(4, dtype=torch.float16)), torch.ones(4, dtype=torch.float16))

# %% exercise="rms_norm"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("HAMLET.\nTo be, or not to")])
    library = model(ids)
    with using(rms_norm):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% [markdown]
r"""
## 4.2 SwiGLU: one half decides what the other half may say

**Why.** The MLP of 2017 bends each channel by itself: max(0, z). A *gated* MLP computes two things from x, a **gate** and an **up** value, and multiplies them; so it can make products of features.

$$\text{silu}(z)=\frac{z}{1+e^{-z}},\qquad \text{mlp}(x)=\big(\text{silu}(xG^\top)\cdot xU^\top\big)D^\top$$

with $x$: (B, T, C), $G, U$: (F, C), $D$: (C, F), out: (B, T, C); the dot is elementwise.
"""

# %%
z = torch.linspace(-6, 6, 121)
show.curves(
    z,
    {"relu": F.relu(z), "silu": mlp.swiglu(gate=z, up=torch.ones_like(z))},
    title="silu is a soft relu that dips below zero",
    x="gate z",
    y="what passes",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: almost the same line far from 0, and a shallow dip of the silu around −1.28.
"""

# %% id="swiglu-oracles"
gate, up = torch.randn(2, B, T, C, generator=generator, dtype=torch.float64)
ours = mlp.swiglu(gate=gate, up=up)
by_loops = [
    [[g / (1 + 2.718281828459045**-g) * u for g, u in zip(*rows)] for rows in zip(*texts)]
    for texts in zip(gate.tolist(), up.tolist())
]
assert_close(ours, torch.tensor(by_loops, dtype=torch.float64))
show.shapes(gate=gate, up=up, ours=ours)

# %% id="swiglu-is-linear-in-up"
assert_close(mlp.swiglu(gate, 2 * up), 2 * ours)
assert not mlp.swiglu(2 * gate, up).allclose(2 * ours), "only the gate passes through the bend"

# %% exercise="swiglu"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("《静夜思》李白\n床前明月光，疑是地上")])
    library = model(ids)
    with using(swiglu):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% [markdown]
r"""
**Which one is the gate?** Not every file says so. The first Qwen calls its matrices `w1`, `w2` and `c_proj`, and it is `w2` whose result passes through the silu. Exchange the two in our trained model:
"""

# %% id="gate-and-up-exchanged"
exchanged = Qwen.from_pretrained(assets.TINY_QWEN)
for block in exchanged.model.layers:
    block.mlp.gate_proj, block.mlp.up_proj = block.mlp.up_proj, block.mlp.gate_proj
with torch.no_grad():
    said = show.next_tokens(exchanged(ids)[0, -1], tokenizer)
    assert not exchanged(ids).allclose(model(ids), atol=0.1), "no shape complains, and everything changes"

# %% exercise="04_gate_and_up"

# %% [markdown]
r"""
## 4.3 Why the width is 8/3 of C

**Why.** Three matrices instead of two would make the layer half as large again. At width 8/3 C they cost what two matrices of width 4C cost:
"""

# %% id="eight-thirds"
for h in (192, 2048, 4096, 5120):
    assert 3 * h * (8 * h) / 3 == 2 * h * (4 * h)

# %% [markdown]
r"""
The width is then rounded to something that hardware likes: the *doubled* width (gate and up together) to a multiple of 256. The report's sizes and ours:
"""

# %% id="widths-of-the-report"
for d_model, d_ff in {2048: 5504, 4096: 11008, 5120: 13696, 192: 512}.items():
    assert mlp.ffn_width(d_model) == d_ff
    print(f"C = {d_model:4}: width {d_ff:5} = {d_ff / d_model:.4f} C")

# %% exercise="ffn_width"
print("the next larger model, C = 8192, would have width", ffn_width(8192))

# %% [markdown]
r"""
## 4.4 Sharing keys: grouped heads

**Why.** While writing, every head keeps the keys and values of all past tokens. If several query heads *share* one key-value head, that memory shrinks. The first Qwen does not (each head has its own); Qwen2, Qwen2.5 and Llama do. Query head $h$ of H uses key-value head $\lfloor h / g\rfloor$, with $g = H / H_{kv}$ heads in a group.
"""

# %% id="grouped-heads"
H, Hkv, S, D = 6, 2, 7, 11
q, k = torch.randn(B, H, T, D, generator=generator), torch.randn(B, Hkv, S, D, generator=generator)
shared = attention.repeat_kv(k, groups=H // Hkv)
show.shapes(q=q, k=k, shared=shared)
assert all(shared[:, h].equal(k[:, h // 3]) for h in range(H))

# %%
theirs = F.scaled_dot_product_attention(q, k, k, enable_gqa=True)
assert_close(attention.scaled_dot_product_attention(q, shared, shared), theirs, atol=1e-5, rtol=0)

# %% id="cache-memory"
seven = QwenConfig(
    vocab_size=151_936, d_model=4096, n_layers=32, n_heads=32, n_kv_heads=32, d_ff=11_008, max_length=2048
)
for n_kv_heads in (32, 8, 4):
    cache = 2 * seven.n_layers * n_kv_heads * seven.d_head * 2 * 2048 / 1e9  # keys and values, two bytes each
    print(f"{n_kv_heads:2} key-value heads: {cache:.2f} GB of bfloat16 for one text of 2,048 tokens")

# %% exercise="repeat_kv"
grouped = Qwen(dataclasses.replace(model.config, n_kv_heads=2), torch.Generator().manual_seed(0))
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("Shall I compare thee")])
    library = grouped(ids)
    with using(repeat_kv):
        assert_close(grouped(ids), library, atol=1e-5, rtol=0)
print("A model of six query heads on two key-value heads runs on it.")

# %% [markdown]
r"""
## 4.5 Untied embeddings, and all 7,721,324,544 parameters

**Why untie?** Tied, one matrix must serve both to read a token and to say it. The report unties "for better performance with the price of memory". The price:
"""

# %% exercise="04_untying"

# %% [markdown]
r"""
Every parameter of the 7B model, by formula. The sum times two bytes is exactly the size that the published file states: 15,442,649,088.
"""

# %% id="seven-billion"
C, V, width = seven.d_model, seven.vocab_size, seven.d_ff
per_layer = {"attention": 4 * C * C + 3 * C, "MLP": 3 * C * width, "norms": 2 * C}
total = 2 * V * C + seven.n_layers * sum(per_layer.values()) + C
assert total == seven.n_parameters == 7_721_324_544
assert 2 * total == 15_442_649_088

# %% id="share-of-untying"
extra = {}
for name, config in {"7B": seven, "ours": model.config}.items():
    extra[name] = config.n_parameters - dataclasses.replace(config, tie_embeddings=True).n_parameters
    gigabytes, share = 2 * extra[name] / 1e9, extra[name] / config.n_parameters
    print(f"{name:5} {extra[name]:>11,} parameters, {gigabytes:.4f} GB in bfloat16, {share:.0%} of the model")
assert extra["7B"] == V * C == 622_329_856 and round(2 * extra["7B"] / 1e9, 2) == 1.24

# %%
shares = {"embedding and output": 2 * V * C, "attention": 32 * per_layer["attention"], "MLP": 32 * per_layer["MLP"]}
show.bars(
    [share / 1e9 for share in shares.values()],
    list(shares),
    title="Where the 7.7 billion parameters of Qwen-7B are",
    x="billion parameters",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: more than half is MLP, a quarter attention; the two vocabulary matrices are a sixth, where they were more than a third of ours.

## 4.6 The block: norm before, residual untouched

**Why before?** With the norm *after* the addition (2017) the stream itself is rescaled at every layer, and what the first layers wrote fades. With the norm *before* (pre-norm) there is a path from the embedding to the output on which nothing but additions happen. Count what is left of x after 32 layers of random matrices:
"""


# %%
def share_of_input_left(depth, norm_in_stream):
    x = torch.randn(64, generator=generator)
    start, ones = x.clone(), torch.ones(64)
    for _ in range(depth):
        weight = torch.randn(64, 64, generator=generator) / 64**0.5 * 0.5
        read = norm.rms_norm(x, ones)
        x = (read if norm_in_stream else x) + read @ weight.mT
    return (x @ start / (x.norm() * start.norm())).item()


# %% id="pre-norm-keeps-the-path"
depths = [1, 2, 4, 8, 16, 32]
kept = {
    "norm before": [sum(share_of_input_left(d, False) for _ in range(20)) / 20 for d in depths],
    "norm in the stream": [sum(share_of_input_left(d, True) for _ in range(20)) / 20 for d in depths],
}
assert kept["norm before"][-1] > 2 * abs(kept["norm in the stream"][-1])
show.curves(
    depths,
    kept,
    title="A norm inside the stream washes the input away",
    x="layers",
    y="cosine with the input",
    log_x=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: both start near 1; the lower line falls towards 0, the upper stays well above it.
"""

# %% exercise="04_norm_after_residual"

# %% [markdown]
r"""
## 4.7 Biases, where they are left

PaLM and LLaMA dropped all biases. Qwen keeps those of Q, K and V (lesson 02 shows what they can say about distance). Loading code written for LLaMA forgets them without an error. What does our model lose?
"""


# %%
@torch.no_grad()
def nats_per_token(model):
    ids = torch.tensor([scene[:96] for scene in scenes if len(scene) >= 96][:12])
    logp = model(ids[:, :-1]).log_softmax(dim=-1)
    return -logp.gather(-1, ids[:, 1:, None]).mean().item()


# %% id="biases-dropped"
without = Qwen.from_pretrained(assets.TINY_QWEN)
with torch.no_grad():
    for name, parameter in without.named_parameters():
        if name.endswith(".bias"):
            parameter.zero_()
whole, dropped = nats_per_token(model), nats_per_token(without)
print(f"{whole:.3f} nats a token with biases, {dropped:.3f} without: no error, no nonsense, only worse")
assert dropped > whole

# %% exercise="04_bias_dropped"

# %% [markdown]
r"""
## 4.8 The ladder, and real weights

| rung | where it is checked |
| --- | --- |
| loops = minqwen, for norm, SwiGLU and attention | above, and in lesson 01 |
| torch = minqwen, for norm, attention and grouped heads | above |
| `transformers` = minqwen, logits of whole models to 10⁻⁵, in float64 to 10⁻¹⁰: Qwen2 and Llama shapes, grouped and tied; padded on the left, with a cache | `tests/model/test_qwen.py`; a learner need not install it |
| `transformers` = minqwen, logits of the real model below to 10⁻⁵ | `tests/test_real_model.py` |

The same code loads real weights: a folder from the hub, or a name such as `Qwen/Qwen2.5-0.5B` where there is a network. `python3 course.py real-model` fetches SmolLM2-135M-Instruct (Llama's shape: 9 query heads on 3 key-value heads, tied, no biases) once; if it is there, the next cell runs it.
"""

# %% tags=["real"] id="real-model"
folder = assets.REAL_MODEL
if folder.exists():
    import tokenizers

    real, words = Qwen.from_pretrained(folder), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.no_grad():
        likeliest = real(torch.tensor([words.encode("The capital of France is").ids]))[0, -1].argmax().item()
    print("The capital of France is" + words.decode([likeliest]))
    assert words.decode([likeliest]).strip() == "Paris"
else:
    print("The real model is not here; python3 course.py real-model fetches it. Our own knows no France:")
    said = show.next_tokens(
        model(torch.tensor([tokenizer.encode("The capital of France is")]))[0, -1].detach(), tokenizer
    )

# %% [markdown]
r"""
## 4.9 Side by side: what each part does to a small model

**Why.** Sections 4.1 to 4.7 say what each part computes, not that it helps. For that, models are trained side by side: a small Qwen, and five copies with one part changed. One run shows luck as well, so each is trained with five seeds. Runs of one seed form a *pair*: they read the same texts in the same order, and what was not changed starts from the same numbers.

This takes too long to do live, so the lesson reads a log. `make evidence NAME=block` makes it again. What was expected was written into its first line before anything ran.

**Predict**: which of the five changes will show in the bits per byte of held-out texts, and in which direction?
"""

# %% id="evidence-log"
log = show.read_log(assets.RUNS / "block.jsonl")
recipe, last = log.about["recipe"], log.steps[-1]
tokens = recipe["steps"] * recipe["batch_size"] * recipe["max_length"]
parameters = {name: counts[0] for name, counts in log.at(last, lambda run: run["parameters"]).items()}
print(f"{log.about['command']}: {log.hours:.1f} hours on one busy core, {log.about['precision']}")
print(
    f"{recipe['n_layers']} layers of {recipe['d_model']}, {tokens:,} tokens a run in windows of {recipe['max_length']}"
)
for name, variant in log.about["variants"].items():
    print(f"{name:11} {parameters[name]:>9,} parameters; expected: {variant['expected']}")

# %% id="ablations-are-fair"
assert parameters["ReLU"] == parameters["norm after"] == parameters["Qwen"]
assert 0 < parameters["LayerNorm"] - parameters["Qwen"] < 0.001 * parameters["Qwen"], "a bias for each norm"
assert 0 < parameters["Qwen"] - parameters["no QKV bias"] < 0.001 * parameters["Qwen"]
assert parameters["Qwen"] - parameters["tied"] == tokenizer.vocab_size * recipe["d_model"], "a third fewer"
assert all(len(runs) == recipe["seeds"] == 5 for runs in log.at(last, lambda run: run["loss"]).values())

# %% [markdown]
r"""
The curves, all but those of the norm after the addition, which get a picture of their own. A line is the mean of five seeds, its band reaches from the best to the worst.
"""


# %% id="ablation-curves"
def mean_bits(run):
    return sum(run["bits_per_byte"].values()) / 2


bits = {name: list(zip(*(log.at(step, mean_bits)[name] for step in log.steps))) for name in log.about["variants"]}
show.bands(
    log.steps,
    {name: seeds for name, seeds in bits.items() if name != "norm after"},
    title="ReLU leads on the way; at the end the five lie close together",
    x="step",
    y="held-out bits per byte",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the line of ReLU below the others from step 100 to 300, and five bands that overlap at the end.

**Pairs.** What a seed does to both runs of a pair cancels in their difference $d$. So we look at the $n=5$ differences to Qwen and at the interval around their mean that holds the true one in 95 of 100 such experiments (Student 1908):

$$\bar d\pm t_{n-1}\cdot\frac{s}{\sqrt n},\qquad s^2=\frac1{n-1}\sum_i(d_i-\bar d)^2,\qquad t_4=2.776$$

By eye, with three pairs ($t_2=4.303$): differences of 1, 2 and 3 have mean 2 and $s=1$, so the interval is 2 ± 4.303/√3.
"""

# %% id="paired-interval"
low, mean, high = show.paired_difference([12.0, 24.0, 36.0], [11.0, 22.0, 33.0])
print(f"{mean:.3f}, from {low:.3f} to {high:.3f}")
assert_close([low, mean, high], [2 - 4.303 / 3**0.5, 2.0, 2 + 4.303 / 3**0.5], atol=1e-3, rtol=0)


# %% id="paired-with-qwen"
trained, languages = recipe["max_length"], {"English": "en", "Chinese": "zh"}
changes = ["LayerNorm", "ReLU", "no QKV bias", "tied"]


def bits_at(length, code):
    return lambda run: (run["bits_per_byte"] if length == trained else run["longer"][str(length)])[code]


def against_qwen(length, level=0.95):
    found = {name: log.against("Qwen", last, bits_at(length, code), level) for name, code in languages.items()}
    return {change: {name: found[name][change] for name in found} for change in changes}


# %% id="ablation-differences"
rows = against_qwen(trained)
for variant, row in rows.items():
    print(
        f"{variant:11}", *(f"{name} {i.mean:+.3f} ({i.low:+.3f} to {i.high:+.3f})" for name, i in row.items()), sep="  "
    )

# %% id="ablation-intervals"
seen = [f"{variant}, {name}" for variant, row in rows.items() for name, i in row.items() if i.excludes_zero]
assert seen == ["ReLU, English"] and rows["ReLU"]["English"].mean < 0
show.intervals(
    rows,
    title=f"Only one interval of eight lies beside zero: {seen[0]}",
    x="held-out bits per byte more than Qwen; 95 % intervals over five pairs",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: filled marks exclude zero, and one does: ReLU, of equal size and expected to lose, needs *fewer* bits for English; for Chinese it does not. The other changes are **not seen at this size**, the tied model included, which has a third fewer parameters. That is no proof of equality. The whiskers say what five pairs could have missed: some hundredths of a bit, in English a tenth.

Eight intervals at 95 % are eight chances to be misled. Widened to 99.4 % (0.05 / 8, Bonferroni's correction), all eight together miss the truth in at most 5 % of such experiments:
"""

# %% id="ablations-together"
strict = against_qwen(trained, level=1 - 0.05 / 8)
low, mean, high = strict["ReLU"]["English"]
print(f"ReLU, English: {mean:+.3f}, from {low:+.3f} to {high:+.3f}")
assert not any(i.excludes_zero for row in strict.values() for i in row.values()), "not even that of ReLU is sure"

# %% [markdown]
r"""
**Asked twice.** The experiment had been run before, on the corpus with its near copies (lesson 07) and the vocabulary learned from it. All else was equal. Which intervals lay beside zero then?
"""

# %% id="asked-twice"
earlier = show.read_log(assets.RUNS / "block-before-cleaning.jsonl")
again = {name: earlier.against("Qwen", last, bits_at(trained, code)) for name, code in languages.items()}
once = [f"{change}, {name}" for change in changes for name in languages if again[name][change].excludes_zero]
print("the first time:", once, " the second time:", seen)
assert once == ["tied, English"] and set(once).isdisjoint(seen), "what was seen once was not seen again"

# %% [markdown]
r"""
Another one: chance picks one interval in twenty, as 95 % says, and Bonferroni's correction would have stopped both. One thing came back, the lead of ReLU half-way:
"""

# %% id="relu-leads-half-way"
for name, each in {"the first time": earlier, "the second time": log}.items():
    low, mean, high = each.against("Qwen", last // 2, mean_bits)["ReLU"]
    print(f"{name}: ReLU at step {last // 2}: {mean:+.3f}, from {low:+.3f} to {high:+.3f}")
    assert high < 0

# %% [markdown]
r"""
**Biases and longer texts.** The report keeps the biases of Q, K and V because they help beyond the training length (section 2.3.1). So something was expected at two and four times that length. The same models on held-out texts that are cut to longer windows:
"""

# %% id="biases-and-length"
without = {f"{length} tokens": against_qwen(length)["no QKV bias"] for length in (trained, 2 * trained, 4 * trained)}
assert not any(i.excludes_zero for row in without.values() for i in row.values())
show.intervals(
    without,
    title="Without biases, nothing is lost that five pairs could see, at any length",
    x="held-out bits per byte more than with biases; 95 % intervals over five pairs",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: six intervals that hold zero: **no effect seen at this size**. These models have read 0.4 million tokens; the report's claim is about models that have read trillions.

**The norm after the addition** is a case by itself. Its runs do not scatter around a mean: a run either learns or stays where it is. Both experiments show it:
"""


# %% id="norm-after-seeds"
def ahead_and_behind(log):
    at_end, at_first = log.at(last, mean_bits), log.at(log.steps[0], mean_bits)
    after = torch.tensor(at_end["norm after"])
    return (after < min(at_end["Qwen"])).sum().item(), (after > max(at_first["Qwen"])).sum().item()


assert (ahead_and_behind(earlier), ahead_and_behind(log)) == ((2, 3), (5, 0))
after = [log.at(step, mean_bits)["norm after"] for step in log.steps]
stuck = [earlier.at(step, mean_bits)["norm after"] for step in log.steps]
show.curves(
    log.steps,
    {f"first, seed {seed}": values for seed, values in enumerate(zip(*stuck))}
    | {"second, all five": torch.tensor(after).mean(dim=1)}
    | {"Qwen": torch.tensor(bits["Qwen"]).mean(dim=0)},
    title="With the norm after, three of ten runs learn next to nothing, seven overtake Qwen",
    x="step",
    y="held-out bits per byte",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: three lines that stay on top, all of the first experiment, and the others below the mean of Qwen. The first numbers of a seed were the same in both; only the texts differed a little. What do the three know? Compare with a model that knows only how frequent each token is; it needs $-\sum_v p_v\ln p_v$ nats a token:
"""

# %% id="norm-after-learns-frequencies"
texts = [tokenizer.encode(document.text) for document in corpus.load("train")[::40]]
counts = torch.tensor([i for text in texts for i in text]).bincount()
p = counts[counts > 0] / counts.sum()
frequencies = -(p * p.log()).sum().item()
losses = sorted(each for one in (earlier, log) for each in one.at(last, lambda run: run["loss"])["norm after"])
print(f"frequencies alone: {frequencies:.2f} nats a token; training loss:", [round(loss, 2) for loss in losses])
assert all(abs(loss - frequencies) < 0.1 for loss in losses[7:]), "the three have learned the frequencies, no more"
assert max(losses[:7] + log.at(last, lambda run: run["loss"])["Qwen"]) < frequencies - 1, "the others have"

# %% [markdown]
r"""
So at this rate and warm-up the norm after the addition is a gamble, and the norm before it is not: all ten Qwens learn. That is the report's reason, *stability*, and the mean of such runs would hide it. Had we looked only once, we should have said "three of five" or "none". What the report does not say shows as well: where it learns, the norm after the addition is ahead here. One rate for all, chosen for Qwen on a seed that is not shown, is part of the comparison (post-norm is known to want a slow warm-up: Xiong et al. 2020, [arXiv:2002.04745](https://arxiv.org/abs/2002.04745)); which of the two would win with a rate of its own, these logs cannot say.

| change | expected | seen in five pairs, 0.4 million tokens each |
| --- | --- | --- |
| LayerNorm | no difference | none |
| ReLU, equal parameters | worse | ahead half-way, twice; at the end in English, once, not sure among eight intervals |
| no QKV bias | none; worse at 2 and 4 times the length | none, at any length |
| tied | worse | worse in English, once, not sure among eight intervals |
| norm after | worse | three of ten runs fail, seven are better |
"""

# %% [markdown]
r"""
## 4.10 Put right

> "RMSNorm is LayerNorm without the cost."

It is cheaper, but not the same function: it keeps the mean. A vector whose channels are all equal *vanishes* under LayerNorm and survives under RMSNorm.
"""

# %% id="rms-norm-keeps-the-mean"
flat = torch.full((1, 6), 3.0)
assert F.layer_norm(flat, (6,)).abs().max() < 1e-3
assert_close(norm.rms_norm(flat, torch.ones(6)), torch.ones(1, 6), atol=1e-5, rtol=0)

# %% [markdown]
r"""
## 4.11 Not shown at this size

* That RMSNorm, SwiGLU, QKV biases and untied embeddings make a model *better*: section 4.9 looked, at less than a third of our model's size and 0.4 million tokens, and saw none of them for sure. Effects of a hundredth of a bit need more seeds, more text, and a rate tuned for each variant.
* The report trains in bfloat16 with flash attention (lesson 05); here all is float32, but for the logged runs, which multiply in bfloat16.

## Summary · 小结

1. A layer reads the normalised stream and adds to the stream itself. · 每层读取归一化后的残差流，再加回残差流。
2. RMSNorm divides by the root of the mean square; the mean stays. · RMSNorm 除以均方根，均值保留。
3. SwiGLU multiplies a bent gate with an up value, at width 8/3 C. · SwiGLU 以门控乘以上投影，宽度为 8/3 C。
4. Biases are left on Q, K and V; embeddings are untied. · 只在 Q、K、V 保留偏置，输入输出嵌入不共享。
5. 7,721,324,544 parameters follow from one formula. · 77.2 亿参数可由一个公式算出。

**Your prediction**: in our model the vocabulary matrices outweigh attention; in the 7B model they do not.

**Recall**

<details><summary>1. Which half of SwiGLU passes through the bend?</summary>

The gate. The up value only multiplies.

</details>
<details><summary>2. Why 8/3 and not 4?</summary>

Three matrices of width 8/3 C cost as much as two of width 4 C.

</details>
<details><summary>3. What happens to RMSNorm's output when its input is multiplied by 1000?</summary>

Nothing, up to eps.

</details>
<details><summary>4. Which matrix of the first Qwen's files is the gate?</summary>

w2; w1 is up.

</details>
<details><summary>5. Six query heads, two key-value heads: which keys does head 4 use?</summary>

Those of head 4 // 3 = 1.

</details>
"""
