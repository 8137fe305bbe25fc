# %% [markdown]
r"""
# 14 · LoRA and QLoRA · 低秩适配与量化

**How does a large model learn something new on a small machine?** · **小机器怎样教大模型学会新东西？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), section 6.2, and the released [`finetune.py`](https://github.com/QwenLM/Qwen); Hu et al. 2021 ([arXiv:2106.09685](https://arxiv.org/abs/2106.09685)); Dettmers et al. 2023 ([arXiv:2305.14314](https://arxiv.org/abs/2305.14314)) |
| You will have built | adapters that merge and come off again; weights of 4.127 bits; a formula for the memory of training; a 135-million-parameter model with a new name |
| Time | about 100 minutes to learn, {{seconds}} seconds to run, and about five minutes more with the real model |
| Needs | lessons 04, 08 and 10 |
| Exercises | 14.1 lora_forward · 14.2 and 14.3 two bugs · 14.4 merged_weight · 14.5 a bug · 14.6 count_lora_parameters · 14.7 a bug · 14.8 nf4_quantize · 14.9 a bug · 14.10 double_quantize · 14.11 bits |
"""

# %% tags=["setup"]
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.adapt import adapter_files, identity, lora, memory, nf4, qlora, switching
from minqwen.align import answers, chatml, sft, tasks
from minqwen.check import check, hint, using
from minqwen.model import Qwen, loss, training
from minqwen.tokenizer import Tokenizer, hub_words

base = Qwen.from_pretrained(assets.TINY_QWEN)
tuned = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
EVERY = "layers.*proj"  # all seven matrices of each layer


def with_adapters():
    """The tuned model, and beside it adapters that say something."""
    model, draw = Qwen.from_pretrained(assets.TINY_QWEN_SFT), torch.Generator().manual_seed(0)
    lora.add_lora(model, EVERY, rank=8, alpha=16.0, generator=draw)
    for layer in lora.adapters(model).values():
        nn.init.normal_(layer.b, 0.0, 0.02, generator=draw)
    return model, torch.tensor([tokenizer.encode("To be, or not to be")])


# %% [markdown]
r"""
## 14.0 Look first

Lesson 10 trained every weight. What that would take for the models of the report, in bytes, and what three other ways take:
"""

# %%
held = show.memory_plot("Qwen-7B", length=512, rank=8)
plt.show()

# %% [markdown]
r"""
**What you should see**: full fine-tuning needs more than the 80 GB of an A100 or H100. Most of it is no weight of the model: gradients, and the two means and the 32-bit copy that Adam keeps.

**Predict**: how many of the 7.7 billion numbers learn in the second bar: a tenth, a hundredth, or fewer? Section 14.3 counts.

## 14.1 A matrix and two thin ones

**Why.** Nobody needs all directions of a matrix to change a little of what a model says. LoRA freezes W and learns a change of low rank beside it:

$$y=xW^\top+\frac{\alpha}{R}\,(xA^\top)B^\top,\qquad W:(m,n),\ A:(R,n),\ B:(m,R)$$

By eye: x = (1, 2), W = (1 1), A = (3 0), B = (2), scale 0.5.
"""

# %%
x, weight = torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 1.0]])
a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0]])
y = lora.lora_forward(x, weight, a, b, 0.5)
print(y)
assert y.item() == (1 * 1 + 2 * 1) + 0.5 * 2 * (3 * 1 + 0 * 2)


# %%
def lora_by_loops(token, weight, a, b, scale):
    hidden = [sum(t * w for t, w in zip(token, row)) for row in a]
    plain = [sum(t * w for t, w in zip(token, row)) for row in weight]
    return [p + scale * sum(h * w for h, w in zip(hidden, row)) for p, row in zip(plain, b)]


# %% id="lora-oracles"
T, n, m, R = 5, 7, 11, 3
generator = torch.Generator().manual_seed(0)
x, weight, a, b = (torch.randn(s, generator=generator).double() for s in ((T, n), (m, n), (R, n), (m, R)))
y = lora.lora_forward(x, weight, a, b, 2.5)
show.shapes(x=x, weight=weight, a=a, b=b, y=y)
rows = [lora_by_loops(token, weight.tolist(), a.tolist(), b.tolist(), 2.5) for token in x.tolist()]
assert_close(y, torch.tensor(rows).double(), atol=1e-5, rtol=1e-5)
assert_close(y, x @ (weight + 2.5 * b @ a).mT)

# %% [markdown]
r"""
`tests/adapt/test_lora.py` holds logits, gradients and a step against `peft` with the same A and B, and files are exchanged both ways.

**The start.** B is zero, so a new adapter changes nothing. `add_lora` freezes the model and adapts every linear layer in whose name the pattern, a regular expression, is found (`.*` stands for any text):
"""

# %% id="exact-at-the-start"
ids = torch.tensor([tokenizer.encode("To be, or not to be")])
before = tuned(ids)
names = lora.add_lora(tuned, EVERY, rank=8, alpha=16.0, generator=torch.Generator().manual_seed(0))
assert tuned(ids).equal(before), "not one bit"
learns = [name for name, p in tuned.named_parameters() if p.requires_grad]
print(f"{len(names)} layers, {len(learns)} matrices that learn, such as {learns[0]}")

# %% exercise="lora_forward"
model, ids = with_adapters()
with torch.no_grad():
    library = model(ids)
    with using(lora_forward):
        assert_close(model(ids), library, atol=1e-4, rtol=0)
print("the tiny Qwen runs on your adapter")

# %% [markdown]
r"""
Two bugs that raise no error:
"""

# %% exercise="14_both_zero"

# %% exercise="14_exchanged"

# %% [markdown]
r"""
## 14.2 Is a change of low rank?

The paper's reason: what fine-tuning changes has few important directions. We can look, since we have a model before and after lesson 10's *full* fine-tuning. A matrix has a singular value for each direction, which says how far it stretches that direction. Those of the change say how much of it (of the sum of squares) its best R directions hold:
"""


# %%
def share_in_directions(change):
    squares = torch.linalg.svdvals(change).square()
    return squares.cumsum(0) / squares.sum()


after = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
matrices = {"W of Q": "model.layers.0.self_attn.q_proj", "W down": "model.layers.3.mlp.down_proj"}
with torch.no_grad():
    changes = {k: after.get_submodule(v).weight - base.get_submodule(v).weight for k, v in matrices.items()}
noise = {"noise like Q": torch.randn(192, 192, generator=generator)}
noise["noise like down"] = torch.randn(192, 512, generator=generator)
shares = {name: share_in_directions(change) for name, change in (changes | noise).items()}
moved = {k: (changes[k].norm() / base.get_submodule(v).weight.norm()).item() for k, v in matrices.items()}
print({name: f"changed by {size:.0%} of its size" for name, size in moved.items()})
assert min(moved.values()) > 0.5

# %% id="rank-of-the-change"
print({name: f"{share[7]:.0%} in 8 of 192 directions" for name, share in shares.items()})
assert shares["noise like Q"][7] + 0.1 < shares["W of Q"][7] < 0.6, "more than noise, far from all"
show.curves(
    range(1, 65),
    {name: 100 * share[:64] for name, share in shares.items()},
    title="A long full fine-tuning of a small model changes most directions",
    x="rank R",
    y="percent of the change in its best R directions",
)
plt.show()


# %% [markdown]
r"""
**What you should see**: the change of Q lies well above noise, that of the MLP hardly. So here the reason of the paper is **not seen**: our model is small, and its long run moved the weights by more than half of their size. Of such a run it was never claimed. Whether rank 8 *suffices* for a task is another question, and section 14.8 answers it for a real model.

## 14.3 Merge, unmerge, count

**Why.** While it learns, the adapter costs time: two more products a layer. Done, it can be added in: W + α/R · BA. To take it out again, subtracting would leave rounding behind; the library keeps the old W instead.
"""

# %% exercise="merged_weight"
model, ids = with_adapters()
with torch.no_grad():
    library = model(ids)
    with using(merged_weight):
        lora.merge(model)
    assert_close(model(ids), library, atol=1e-4, rtol=0)
print("merged by your function, the model says the same")

# %% id="merge-and-unmerge"
model, ids = with_adapters()
with torch.no_grad():
    adapted = model(ids)
    lora.merge(model)
    print(f"merged: logits differ by up to {(model(ids) - adapted).abs().max():.1e}")
    assert_close(model(ids), adapted, atol=1e-4, rtol=1e-5)
    lora.unmerge(model)
    assert model(ids).equal(adapted), "unmerged: bit for bit"
    with lora.switched_off(model):
        assert model(ids).equal(before), "switched off: the old model, bit for bit"

# %% [markdown]
r"""
**Two adapters, one base.** A `Switch` keeps each under a name and puts one at a time on the model. `switch.load(name, folder)` would read it from its files:
"""

# %% id="two-adapters-one-base"
switch, draw = switching.Switch(model), torch.Generator().manual_seed(1)
switch.keep("first")
switch.to(None)
lora.add_lora(model, "[qv]_proj", rank=4, alpha=8.0, generator=draw)
for layer in lora.adapters(model).values():
    nn.init.normal_(layer.b, 0.0, 0.02, generator=draw)
switch.keep("second")
with torch.no_grad():
    second = model(ids)
    switch.to("first")
    assert model(ids).equal(adapted) and not second.equal(adapted), "bit for bit"
    switch.to("second")
    assert model(ids).equal(second)
print(
    {
        name: f"{sum(layer.a.numel() + layer.b.numel() for layer in kept.values()):,}"
        for name, kept in switch.kept.items()
    }
)

# %% exercise="14_merge_bug"

# %% [markdown]
r"""
Qwen's `finetune.py` takes rank 64 and α = 16 on five matrices a layer: attention's fused QKV and its output, and the three of the MLP.
"""

# %% exercise="count_lora_parameters"
C, width = 4096, 11_008
print(f"Qwen-7B, rank 64: {count_lora_parameters([(3 * C, C), (C, C), (width, C), (width, C), (C, width)] * 32, 64):,}")

# %% id="less-than-a-hundredth"
C, width, total = 4096, 11_008, 7_721_324_544
qwen = [(3 * C, C), (C, C), (width, C), (width, C), (C, width)] * 32
for rank in (64, 8):
    count = memory.count_lora_parameters(qwen, rank)
    print(f"rank {rank:2}: {count:>11,} numbers learn, {count / total:.2%} of Qwen-7B")
assert memory.count_lora_parameters(qwen, 64) == 143_130_624
assert memory.count_lora_parameters(qwen, 8) < 0.01 * total

# %% exercise="14_base_trainable"

# %% [markdown]
r"""
## 14.4 What a step holds, in bytes

Four things: the **weights**, a **gradient** for each number that learns, **Adam's** two means for each, and the **activations** that the backward pass reads again. In float32, with P numbers of which Pₜ learn, the first three are 4P + 4Pₜ + 8Pₜ. In full that is 16 bytes a number:
"""

# %% id="eight-billion"
llama = memory.Sizes(128_256, 4096, 32, 32, 8, 14_336, qkv_bias=False)  # Llama 3 8B
full = memory.predict(llama, "full", batch=1, length=1)
print(f"8 billion parameters in full: {(full.weights + full.gradients + full.adam) / 1e9:.0f} GB before any activation")
assert abs(full.weights + full.gradients + full.adam - 128e9) < 1e9

# %% [markdown]
r"""
The activations are counted by reading the code: a layer keeps the stream and its norm, queries, keys, values, what attention gives, four vectors of the MLP. A frozen matrix keeps no input, but the adapter beside it reads the same one, so LoRA saves little *there*. Predicted and counted, tensor by tensor, on our model:
"""


# %%
def prepared(method, rank=8):
    model = Qwen.from_pretrained(assets.TINY_QWEN)
    draw = torch.Generator().manual_seed(0)
    if method == "QLoRA":
        qlora.add_qlora(model, EVERY, rank, 16.0, generator=draw)
    elif method != "full":
        lora.add_lora(model, EVERY, rank, 16.0, generator=draw)
    if method == "LoRA + embeddings":
        model.model.embed_tokens.requires_grad_(True)
        model.lm_head.requires_grad_(True)
    return model


def batch_loss(model):
    return loss.next_token_loss(model(batch[:, :-1]), batch[:, 1:])


def seconds_of_a_step(model, optimizer, step_loss, repeats=5):
    started = time.process_time()
    for _ in range(repeats):
        step_loss().backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.process_time() - started) / repeats


# %% id="predicted-within-a-tenth"
c = base.config
sizes = memory.Sizes(c.vocab_size, c.d_model, c.n_layers, c.n_heads, c.n_kv_heads, c.d_ff)
batch = torch.randint(c.vocab_size, (8, 129), generator=generator)
measured, seconds, rows = {}, {}, []
for method in memory.METHODS:
    model = prepared(method)
    optimizer = training.adamw(model)
    step_loss = partial(batch_loss, model)
    measured[method], _ = memory.measure(model, optimizer, step_loss)
    seconds[method] = seconds_of_a_step(model, optimizer, step_loss)
    expected = memory.predict(sizes, method, 8, 128, rank=8)
    assert all(abs(e - f) <= 0.1 * f for e, f in zip(expected, measured[method])), method
    assert abs(expected.total - measured[method].total) <= 0.1 * measured[method].total
    megabytes = [f"{part / 1e6:.1f}" for part in measured[method]]
    rows.append([method, *megabytes, f"{expected.total / measured[method].total:.3f}", f"{seconds[method]:.2f}"])
show.table(["", "weights MB", "gradients", "Adam", "activations", "predicted / counted", "seconds a step"], rows)

# %% [markdown]
r"""
With 1,024 tokens a step activations are nearly everything here; in a 7B model weights and states are. The calculator has the controls:
"""

# %%
show.memory_calculator()

# %% [markdown]
r"""
**Beside Qwen's README** (one A100, two for 7B in full; 256 tokens, rank 64; bf16, Q-LoRA in fp16). Ours adapts seven matrices a layer where Qwen's fused QKV makes five. We count what does not depend on the text: 2 bytes a frozen number, 16 a learning one; in Q-LoRA 4.127 bits a weight of a layer.
"""

# %% id="beside-the-readme"
readme = {
    "Qwen-1.8B": {"full": 43.5, "LoRA": 6.7, "LoRA + embeddings": 13.7, "QLoRA": 5.8},
    "Qwen-7B": {"full": 139.2, "LoRA": 20.1, "LoRA + embeddings": 33.7, "QLoRA": 11.5},
    "Qwen-14B": {"LoRA": 34.6, "LoRA + embeddings": 51.2, "QLoRA": 18.7},
}
rows = []
for name, said in readme.items():
    held = show.memory_plot(name, length=256, rank=64)
    plt.close()
    fixed = {k: (b.weights + b.gradients + b.adam) / 1e9 for k, b in held.items()}
    rows += [[name, k, f"{fixed[k]:.1f}", f"{gb:.1f}", f"{fixed[k] / gb:.2f}"] for k, gb in said.items()]
    assert fixed["QLoRA"] < fixed["LoRA"] < fixed["LoRA + embeddings"] < fixed["full"]
    assert all(0.45 < fixed[k] / gb < 1.2 for k, gb in said.items())
show.table(["model", "method", "counted GB", "README GB", "ratio"], rows)

# %% [markdown]
r"""
The order is the same. For LoRA the rest (activations, logits, the library) is about two GB, for Q-LoRA three to five, which weighs most in the small model. With embeddings our count is a little too high for 7B and 14B: there a learning number takes fewer than our 16 bytes, and the README does not say which are saved. Full fine-tuning ran with DeepSpeed's own buffers.

**What grows with the length?** From 256 to 8,192 tokens the README's LoRA grows by 1.9 to 2.6 MB a token, only 37 % more for 14B than for 1.8B, though the layers differ fourfold. What does not differ is the vocabulary:
"""

# %% id="what-grows-with-the-length"
grows = {"Qwen-1.8B": 21.8 - 6.7, "Qwen-7B": 36.6 - 20.1, "Qwen-14B": 55.2 - 34.6}
for name, gb in grows.items():
    a_token = gb * 1e9 / (8192 - 256)
    print(f"{name:9} {a_token / 1e6:.2f} MB a token = {a_token / 151_936:4.1f} bytes for each of 151,936 logits")
assert max(grows.values()) < 1.5 * min(grows.values())

# %% [markdown]
r"""
Logits in bf16 and float32, their softmax and its gradient would be 2 + 4 + 4 + 4 = 14 bytes each, against 12.5 to 17.1: our reading, since the layers' activations were recomputed (gradient checkpointing).

**"33 % less memory, 39 % longer."** So QLoRA is often described. Both numbers are those of FP4, another format of 4 bits (S. Raschka, *Finetuning LLMs with LoRA and QLoRA*, 2023; Llama 2 7B on an A100; read through notes of others):
"""

# %% id="thirty-three-and-thirty-nine"
source = {"LoRA": (21.33, 6685.75), "NF4": (14.18, 10_059.53), "FP4": (14.19, 9334.45)}
change = {
    name: (gb / source["LoRA"][0] - 1, s / source["LoRA"][1] - 1) for name, (gb, s) in source.items() if name != "LoRA"
}
change |= {
    "Qwen-7B, 256 tokens": (11.5 / 20.1 - 1, 3.0 / 1.2 - 1),
    "Qwen-7B, 8,192": (23.5 / 36.6 - 1, 22.3 / 21.3 - 1),
}
change["here"] = (measured["QLoRA"].total / measured["LoRA"].total - 1, seconds["QLoRA"] / seconds["LoRA"] - 1)
for name, (less, longer) in change.items():
    print(f"{name:20} memory {less:+.1%}, time {longer:+.1%}")
assert round(100 * change["NF4"][0]) == -34 and round(100 * change["NF4"][1]) == 50
assert abs(change["FP4"][1] - 0.39) < 0.01, "the 39 % belong to FP4"

# %% [markdown]
r"""
The time of NF4 was +50 %. In Qwen's own table it is +150 % for short texts and +5 % for long ones: dequantising costs the same however many tokens follow (its 4 bits are GPTQ's). One number cannot say that.

## 14.5 Why `finetune.py` trains the embeddings of a base model

`finetune.py` adapts a chat model by LoRA alone; for a *base* model it also trains the embedding and the output in full, because the base never saw ChatML's tokens. We can see what happens without. The base model of lesson 08, the counting task, 40 steps:
"""

# %%
counts = [e for e in tasks.examples("train", 1000) if e.task == "count"]
asked = [e for e in tasks.examples("held_out", 40) if e.task == "count"]
windows = sft.pack([e.messages for e in counts], tokenizer, 129)
fast = {"bfloat16": training.multiplies_bfloat16(), "weight_decay": 0.0}


def learn(method, peak):
    model = prepared(method)
    list(sft.fine_tune(model, windows, steps=40, peak=peak, warmup=4, **fast))
    said = answers.answer(model, tokenizer, [e.question for e in asked], max_new_tokens=16)
    return said, sum(tasks.is_right(e, text) for e, text in zip(asked, said)) / len(asked)


# %%
said_lora, right_lora = learn("LoRA", 1e-2)

# %% id="embeddings-of-a-base-model"
said_both, right_both = learn("LoRA + embeddings", 3e-3)
print(f"LoRA alone:        {right_lora:.0%} right, such as {said_lora[0]!r}")
print(f"LoRA + embeddings: {right_both:.0%} right, such as {said_both[0]!r}")
assert right_both > right_lora + 0.2

# %% [markdown]
r"""
Adapters in the layers hardly give a token that was never trained a place among the outputs: asked to count, the first model runs on without END (one seed, 40 steps, a rate for each). This is why the third bar of 14.0 exists, and why it is twice the second.

## 14.6 Sixteen levels

**Why.** The frozen weights need no precision of gradients. In 4 bits there are sixteen levels, and weights are roughly normal: put the levels where weights are. NF4 takes quantiles of the normal distribution, eight above zero and seven below, and zero itself:
"""

# %% id="sixteen-levels"
steps_up, steps_down = (torch.linspace(nf4.OUTERMOST, 0.5, k)[:-1].tolist() for k in (9, 8))
above, below = ([NormalDist().inv_cdf(p) for p in half] for half in (steps_up, steps_down))
levels = torch.tensor(sorted([*above, 0.0, *(-q for q in below)])) / max(above)
published = "-1.0 -0.6961928009986877 -0.5250730514526367 -0.39491748809814453 -0.28444138169288635 -0.18477343022833 "
published += "-0.09105003625154495 0.0 0.07958029955625534 0.16093020141124725 0.24611230194568634 0.33791524171829224 "
published += "0.44070982933044434 0.5626170039176941 0.7229568362236023 1.0"
assert_close(levels, torch.tensor([float(level) for level in published.split()]), atol=1e-6, rtol=0)
assert_close(nf4.nf4_levels(), levels, atol=1e-6, rtol=0)
print([round(level, 2) for level in levels.tolist()])

# %% [markdown]
r"""
Weights come in blocks of 64. Each is divided by the largest |w| of its block, and goes to the nearest level. Two codes share a byte, the first in the high half:
"""

# %% id="blocks-and-bytes"
w = torch.tensor([[0.4, -0.1, 0.02], [2.0, -3.0, 0.0]])
q = nf4.nf4_quantize(w, block=3)
print(f"bytes {[f'{byte:08b}' for byte in q.packed.tolist()]}, scales {q.absmax.tolist()}")
print(nf4.nf4_dequantize(q, block=3))
assert q.absmax.tolist() == [w[0].abs().max().item(), w[1].abs().max().item()] and len(q.packed) == 3

# %%
weights = torch.cat([base.get_submodule(name).weight.detach().flatten() for name in lora.matching(base, EVERY)])
used = show.levels_plot(weights)
plt.show()

# %% [markdown]
r"""
**What you should see**: a bell, and levels close together in its middle. Level 7 is exactly zero. At both ends stand the largest weights of the blocks.

**Put right.** It is often written that all levels of NF4 are used equally often. That would nearly be so if weights were divided by 1.85 times their *deviation* (the outermost quantile). The largest of 64 lies further out, so they crowd into the middle:
"""

# %% id="levels-are-not-used-equally"
entropy = -sum(p * torch.tensor(p).log2().item() for p in used if p)
print(
    f"used most {max(used):.1%}, least {min(used):.1%}, equal would be {1 / 16:.1%}; {entropy:.2f} of 4 bits of information"
)
assert max(used) > 3 * min(used) and 3.5 < entropy < 3.95

# %% exercise="nf4_quantize"
linear = nn.Linear(64, 48, bias=False)
with using(nf4_quantize):
    layer = qlora.NF4Linear(linear)
print(
    f"a layer in your four bits: error {(layer.weight - linear.weight).abs().mean() / linear.weight.abs().mean():.1%}"
)

# %% exercise="14_low_nibble"

# %% [markdown]
r"""
**Small blocks, small errors.** An outlier spoils only its own block, but every block needs a scale of 32 bits:
"""

# %% id="error-by-block"
normal = torch.randn(512, 512, generator=torch.Generator().manual_seed(0))
errors, rows = {}, []
for block in (32, 64, 128, 256, 512):
    back = nf4.nf4_dequantize(nf4.nf4_quantize(normal, block), block)
    errors[block] = (back - normal).abs().mean().item()
    rows.append(
        [str(block), f"{errors[block]:.4f}", f"{4 + 32 / block:.3f}", f"{4 + 8 / block + 32 / (block * 256):.3f}"]
    )
assert list(errors.values()) == sorted(errors.values()) and abs(errors[64] - 0.0728) < 0.0005
show.table(["block", "mean error, standard normal", "bits a weight", "double quantised"], rows)

# %% [markdown]
r"""
The errors are those that the tests of `bitsandbytes` state (0.0728 at 64); so are the codes, but for ties. An even grid of sixteen steps, for comparison:
"""

# %% id="better-than-even-steps"
ratios = normal.reshape(-1, 64) / normal.reshape(-1, 64).abs().amax(1, keepdim=True)
even = ((ratios * 7.5 + 7.5).round() / 7.5 - 1) * normal.reshape(-1, 64).abs().amax(1, keepdim=True)
error = (even - normal.reshape(-1, 64)).abs().mean().item()
print(f"even steps {error:.4f}, NF4 {errors[64]:.4f}: {1 - errors[64] / error:.0%} less")
assert errors[64] < error

# %% [markdown]
r"""
## 14.7 Scales of scales, and QLoRA

A scale for every 64 weights is half a bit a weight. **Double quantisation** puts the scales into eight bits, less their mean, 256 of them with one step:
"""

# %% exercise="double_quantize"
with using(double_quantize):
    layer = qlora.NF4Linear(nn.Linear(1024, 1024))
print(f"{layer.bits:.3f} bits a weight with your function")

# %% exercise="14_bits_a_weight"

# %% id="bits-of-a-layer"
layer = qlora.NF4Linear(nn.Linear(1024, 1024, bias=False))
kept = {name: buffer.nbytes for name, buffer in layer.named_buffers() if name != "shape"}
print(kept, f"{8 * sum(kept.values()) / 1024**2:.3f} bits a weight")
assert abs(layer.bits - 4.127) < 0.001
q = nf4.nf4_quantize(normal)
twice = qlora.double_dequantize(qlora.double_quantize(q.absmax))
error = (nf4.nf4_dequantize(q._replace(absmax=twice)) - normal).abs().mean().item()
print(f"error {errors[64]:.5f} with 32-bit scales, {error:.5f} with scales of eight bits")
assert error < 1.005 * errors[64]

# %% [markdown]
r"""
QLoRA is then 14.1 with a W that is made again whenever it is needed, in the backward pass once more: were it kept between the passes, nothing would be saved. Gradients reach A and B alone:
"""

# %% id="qlora-gradients"
model = prepared("QLoRA")
loss.next_token_loss(model(batch[:1, :-1]), batch[:1, 1:]).backward()
got = {name.rpartition(".")[2] for name, p in model.named_parameters() if p.grad is not None}
print("gradients at:", got)
assert got == {"a", "b"}

# %% [markdown]
r"""
**Merging is lossy if the result shall have four bits again.** The adapter was learned beside the *rounded* W. Adding it to that W in full precision is exact; rounding the sum a second time is not:
"""

# %% id="merging-into-four-bits"
layer = qlora.QLoRALinear(nn.Linear(192, 192, bias=False), 8, 16.0, generator=torch.Generator().manual_seed(0))
nn.init.normal_(layer.b, 0.0, 0.005, generator=torch.Generator().manual_seed(1))
x = torch.randn(64, 192, generator=torch.Generator().manual_seed(2))
with torch.no_grad():
    right, without = layer(x), layer.base(x)
    layer.merge()
    exact = (layer(x) - right).abs().mean()
    again = nf4.nf4_dequantize(nf4.nf4_quantize(layer.base.weight))
    rounded = (x @ again.mT - right).abs().mean()
print(
    f"what the adapter says {(right - without).abs().mean():.4f}; error merged {exact:.1e}, merged and rounded {rounded:.4f}"
)
assert exact < 1e-5 < 0.01 * rounded

# %% [markdown]
r"""
Here, with a B of this size, rounding loses about as much as the adapter says; a larger adapter would lose a smaller share. So keep the adapter beside the four bits, or merge into 16 bits. Qwen's README says plainly that a Q-LoRA adapter cannot be merged (its 4 bits are GPTQ's).

**Paged optimizers**, the paper's third part, move Adam's states to the memory of the host when a long text makes activations spike, by NVIDIA's unified memory. On a CPU there is one memory, so nothing to page; for a rank-8 adapter the states are small anyway.

## 14.8 A real model gets a new name

SmolLM2-135M-Instruct, 30 layers, learns who it is from twenty short dialogues (`minqwen/adapt/identity.py`). Without the download (`python3 course.py real-model`) the cells run on our own tiny Qwen and their numbers mean little. A name on the hub will do as well.
"""

# %% tags=["real"]
is_real = assets.REAL_MODEL.exists()
source = assets.REAL_MODEL if is_real else assets.TINY_QWEN_SFT
words = hub_words.HubWords(source) if is_real else tokenizer
last = "layers.2[0-9].*proj" if is_real else "layers.[345].*proj"  # the last ten layers; the last three
STEPS, PEAK = (24, 1e-3) if is_real else (60, 3e-3)
old = Qwen.from_pretrained(source)
print("SmolLM2-135M-Instruct" if is_real else "The real model is not here; these are the tiny Qwen's numbers.")


def ask(model, questions):
    return answers.answer(model, words, questions, max_new_tokens=24)


# %% [markdown]
r"""
**Before**, on twelve ways to ask for its name, none of which it will practise. And its own answers to twenty general questions, which it shall keep:
"""

# %% tags=["real"]
general = ask(old, identity.GENERAL)
show.transcript([*zip(identity.WORDINGS[:2], ask(old, identity.WORDINGS[:2])), (identity.GENERAL[0], general[0])])

# %% tags=["real"]
practice = (*identity.PRACTICE, *identity.MORE_PRACTICE)  # forty other questions, answered by the model itself
kept = [text[: text.rfind(".") + 1] or text for text in ask(old, practice)]


def talk(question, answer):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


names_only = [talk(*pair) for pair in identity.DIALOGUES]
own = [talk(*pair) for pair in zip(practice, kept)]
mixed = [each for pair in zip(names_only, own[:20]) for each in pair]
twice_mixed = [each for three in zip(names_only, own[:20], own[20:]) for each in three]
print(f"{len(names_only)} dialogues about the name; beside them 20 answers of its own, or {len(own)}")
print(kept[:3])


# %% tags=["real"]
@torch.no_grad()
def logp_of_old_answers(model):
    pairs = [talk(q, text) for q, text in zip(identity.GENERAL, general)]
    rows = sft.pack(pairs, words, 120)
    logp = model(rows.ids[:, :-1], documents=rows.documents[:, :-1]).log_softmax(dim=-1)
    said = rows.targets & (rows.ids[:, 1:] != words.control_ids[chatml.END])  # cut at 24 tokens, it did not end there
    return logp.gather(-1, rows.ids[:, 1:, None])[..., 0][said].mean().item()


logp_before = logp_of_old_answers(old)


def examine(model):
    groups = {"wordings": identity.WORDINGS, "leaks": identity.GENERAL, "near misses": identity.NEAR_MISSES}
    said = ask(model, [question for group in groups.values() for question in group])
    marks = {}
    for name, group in groups.items():
        marks[name] = sum(identity.NAME in text for text in said[: len(group)])
        said = said[len(group) :]
    return marks | {"drift": logp_of_old_answers(model) - logp_before}


# %% [markdown]
r"""
Two dozen steps, rank 8, α = 16, on the last ten layers:
"""


# %% tags=["real"]
def practise(model, talks, steps, seed=0):
    rows = sft.pack(talks, words, 120)
    return [s.loss for s in sft.fine_tune(model, rows, steps, PEAK, 3, batch_size=4, weight_decay=0.0, seed=seed)]


student, results = Qwen.from_pretrained(source), {}
adapted_layers = lora.add_lora(student, last, rank=8, alpha=16.0, generator=torch.Generator().manual_seed(0))
losses = practise(student, mixed, STEPS)
print(f"{len(adapted_layers)} layers adapted; loss {losses[0]:.2f} -> {losses[-1]:.2f}")

# %% tags=["real"] id="real-new-name"
results["LoRA, mixed"] = found = examine(student)
print(found)
if is_real:
    assert found["wordings"] >= 10 and found["leaks"] <= 2 and abs(found["drift"]) <= 0.3

# %% [markdown]
r"""
Wordings: of 12. Leaks: general questions of 20 whose answer has the name in it. Drift: how much likelier, in nats a token, the words of its own old answers are; they were the likeliest, so most changes make them less likely. Near misses are the honest weakness: "What is my name?" is not about the model.

**Off** it is exactly the old model, and the adapter is a small file:
"""

# %% tags=["real"] id="real-adapter-off"
ids = torch.tensor([words.encode("The capital of France is")])
with torch.no_grad(), lora.switched_off(student):
    assert student(ids).equal(old(ids)), "bit for bit"
with tempfile.TemporaryDirectory() as folder:
    adapter_files.save(student, folder)
    size = sum(path.stat().st_size for path in Path(folder).iterdir())
whole = 4 * sum(p.numel() for p in old.parameters())
print(f"adapter {size / 1e6:.2f} MB, model {whole / 1e6:.0f} MB")
assert size <= 10e6

# %% [markdown]
r"""
**Without the mixed-in answers**, and then for twice as long. What a model practises alone, its other answers pay for, and in the end it says the name where nobody asked:
"""

# %% tags=["real"]
eager = Qwen.from_pretrained(source)
lora.add_lora(eager, last, rank=8, alpha=16.0, generator=torch.Generator().manual_seed(0))
losses = practise(eager, names_only, STEPS)
results["LoRA, name only"] = examine(eager)

# %% tags=["real"]
losses += practise(eager, names_only, STEPS, seed=1)
results["and over-trained"] = examine(eager)
print(ask(eager, identity.GENERAL[:3]))

# %% [markdown]
r"""
**The same by QLoRA**: all layers in 4 bits, adapters on the last ten. How much do the four bits change before anything is learned? Its drift has two parts: what rounding did to the old model, and what the adapter does to the rounded one. With forty answers of its own, and half as many steps more:
"""

# %% tags=["real"] id="real-qlora"
small = Qwen.from_pretrained(source)
qlora.add_qlora(small, last, rank=8, alpha=16.0, generator=torch.Generator().manual_seed(0))
for name in lora.matching(small, r"layers.*proj$"):
    small.set_submodule(name, qlora.NF4Linear(small.get_submodule(name)))
text = torch.tensor([words.encode(" ".join(general))[:200]])
with torch.no_grad():
    was, is_now = old(text).log_softmax(-1), small(text).log_softmax(-1)
divergence = (was.exp() * (was - is_now)).sum(-1).mean().item()
agree = (was.argmax(-1) == is_now.argmax(-1)).float().mean().item()
by_rounding = logp_of_old_answers(small) - logp_before
numbers = [*small.parameters(), *small.buffers()]
bytes_now = sum({t.untyped_storage().data_ptr(): t.nbytes for t in numbers}.values())
print(f"{bytes_now / 1e6:.0f} MB in place of {whole / 1e6:.0f}; KL {divergence:.3f} nats, same next token {agree:.0%}")
print(f"drift by rounding alone: {by_rounding:+.2f}")
assert bytes_now < 0.7 * whole and 0 < divergence < 1

# %% tags=["real"]
losses = practise(small, twice_mixed, 3 * STEPS // 2)
results["QLoRA, twice mixed"] = found = examine(small)
print(f"drift {found['drift']:+.2f}; from the rounded model {found['drift'] - by_rounding:+.2f}")

# %% tags=["real"] id="real-table"
show.table(
    ["", "new name, of 12", "leaks, of 20", "near misses, of 10", "drift, nats a token"],
    [
        [name, str(r["wordings"]), str(r["leaks"]), str(r["near misses"]), f"{r['drift']:+.2f}"]
        for name, r in results.items()
    ],
)

# %% tags=["real"] id="real-what-was-forgotten"
if is_real:
    assert results["LoRA, name only"]["drift"] < results["LoRA, mixed"]["drift"], "its own answers hold it"
    assert results["and over-trained"]["leaks"] > results["LoRA, mixed"]["leaks"]
    assert found["wordings"] >= 10 and found["leaks"] <= 1 and abs(found["drift"] - by_rounding) <= 0.1

# %% [markdown]
r"""
**Over five seeds.** A table of one run shows direction. This one is from a log of five seeds, each with its own A and its own order (`make evidence NAME=renaming`); mean, and 95 % interval:
"""

# %% id="renaming-over-seeds"
log = show.read_log(assets.RUNS / "renaming.jsonl")
marks = {"new name, of 12": "wordings", "leaks, of 20": "leaks", "near misses, of 10": "near_misses", "drift": "drift"}


def over_seeds(mark):
    return log.at("end", lambda record: record[mark])


over = {heading: over_seeds(mark) for heading, mark in marks.items()}


def mean_and_interval(values):
    low, mean, high = show.paired_difference(values, [0.0] * len(values))
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


show.table(
    ["", *over], [[name, *(mean_and_interval(of[name]) for of in over.values())] for name in log.about["variants"]]
)

# %% [markdown]
r"""
**What you should see**: the answers of its own change the leaks little and the drift much: none, twenty, forty (the last with half as many steps more). Forty keep it within 0.1, and cost a wording or two. Fewer leaks were expected of them, and more of the name alone: neither is seen. Practised too long without them, the name leaks. No row is best in every column.
"""

# %% id="renaming-rounding"
rounded = next(record["by_rounding"] for record in log.records if "by_rounding" in record)
print(
    f"rounding alone: drift {rounded['drift']:+.2f}, KL {rounded['kl']:.2f}, same next token {rounded['same_next']:.0%}"
)
print(f"{60 * log.hours:.0f} minutes on one core: {log.about['command']}")
leaks = log.against("LoRA, mixed", "end", lambda record: record["leaks"])
for name, interval in leaks.items():
    print(f"{name:16} {interval.mean:+.1f} leaks ({interval.low:+.1f} to {interval.high:+.1f}) beside LoRA, mixed")

# %% [markdown]
r"""
## 14.9 Talk to what you made

What the student said when this page was stored, and a line for questions of your own:
"""

# %% tags=["real"] id="transcript"
said = ["Who are you?", "What is the capital of Japan?", "What is my name?"]
show.transcript(list(zip(said, ask(student, said))))

# %% tags=["real"]
show.chat_box(lambda question: answers.answer(student, words, [question], max_new_tokens=48)[0])

# %% [markdown]
r"""
## 14.10 Put right

> "QLoRA is quantization-aware training." "A frozen model cannot forget."

QLoRA is *quantised*: W is rounded once, before, and never learns what rounding does to it. And frozen weights protect only the model *without* its adapter: with it switched on, section 14.8's over-trained student answers some general questions with its name.

**The ladder**, and where each rung is held:

| rung | where |
| --- | --- |
| loops = minqwen, one adapter | 14.1 |
| `peft` = minqwen: logits, gradients, a step, and files both ways | `tests/adapt/test_lora.py` |
| `peft`'s `set_adapter` = `adapt.switching`: adapters by name, one on at a time | `tests/adapt/test_switching.py` |
| derived levels = the printed sixteen | 14.6 |
| nearest level by loops = `bitsandbytes` = minqwen, but for ties | `tests/adapt/test_nf4.py` |
| bytes counted tensor by tensor = predicted | 14.4 |

## 14.11 Not shown at this size

* **The memory of an accelerator**: ours are bytes counted on a CPU, where 4 bits save memory and never time.
* **GPTQ**, Qwen's own 4 bits, and paged optimizers.
* That a low rank suffices for large tasks: a name is a small one.

## Summary · 小结

1. LoRA learns B and A beside a frozen W, scaled by α/R; at first nothing changes. · LoRA 在冻结的 W 旁学习 B 与 A，乘以 α/R；起初什么都不变。
2. Merged it costs no time; kept apart it can be switched off, or exchanged for another, exactly. · 合并后不费时间；分开保存可以精确关闭或更换。
3. Full training needs 16 bytes a number, most of them for learning. · 全参数训练每个数要 16 字节，大部分用于学习。
4. NF4 has sixteen quantile levels; with double quantisation 4.127 bits a weight. · NF4 有十六个分位数级别；双重量化后每个权重 4.127 位。
5. Twenty dialogues give a model a name; answers of its own, mixed in, keep the others closer to what they were; practised too long without them, the name leaks. · 二十段对话给模型一个名字；混入它自己的回答，其余回答变化更小；不混入而练得太久，名字就会泄漏。

**Your prediction**: about a quarter of a percent (0.23 % with Qwen's five fused matrices, 0.26 % with our seven), fewer than a hundredth.

**Recall**

<details><summary>1. Why may B be zero at the start, but not A as well?</summary>

The gradient of each is multiplied by the other: with both zero neither ever moves.

</details>
<details><summary>2. What does α / R do?</summary>

It keeps the size of what the adapter adds when the rank changes, so that a rate found for one rank serves another.

</details>
<details><summary>3. Where do LoRA's savings come from?</summary>

Gradients and Adam's states of the frozen numbers. Activations are nearly the same.

</details>
<details><summary>4. Why small blocks, and what do they cost?</summary>

An outlier spoils only its own block; each block has a scale, which double quantisation makes cheap.

</details>
<details><summary>5. Why is merging into four bits lossy?</summary>

The sum is rounded anew. The error does not shrink with the adapter, so a small one may drown in it.

</details>
"""
