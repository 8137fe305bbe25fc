# %% [markdown]
r"""
# 02 · Positions · 位置编码

**How does a model that sees a set of tokens learn their order?** · **看到词元集合的模型，如何知道词元的顺序？**

| | |
| --- | --- |
| Paper | Vaswani et al. 2017 ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)), section 3.5; Su et al. 2021, *RoFormer* ([arXiv:2104.09864](https://arxiv.org/abs/2104.09864)), section 3.2; Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), section 2.3.1 |
| You will have built | the sinusoidal encoding of 2017 and rotary position embedding (RoPE), and run a trained model on yours |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | lesson 01 (queries, keys, masks) |
| Exercises | 2.1 sinusoidal_encoding · 2.2 rope_angles · 2.3 apply_rope · 2.4 the slowest pair · 2.5 a bug |
"""

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.testing import assert_close

from minqwen.check import check, hint, using
from minqwen.model import positions

torch.set_printoptions(precision=3, sci_mode=False)

# %% tags=["setup"]
from minqwen import assets, show
from minqwen.model import Qwen, rope
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
**Predict**, before any code: *RoPE turns the query at position m and the key at position n by angles that grow with m and n. If both tokens move 100 places to the right, what happens to their score?* Write your guess down; section 2.4 answers.

## 2.1 Why positions at all

**Why.** Attention adds up over a set (lesson 01). Take away from our trained model the two things that tell it an order, the rotation of this lesson and the causal mask, and it cannot know who bit whom: it says the same after a sentence and after the same word pieces backwards. (`with using(f):` makes the library call f instead of its own function of that name.)
"""


# %%
def no_rotation(x, angles):
    return x


def no_mask(T, S):
    return torch.ones(T, S, dtype=torch.bool)


no_rotation.__name__, no_mask.__name__ = "apply_rope", "causal_mask"  # the parts that `using` replaces

# %%
first = torch.tensor([tokenizer.encode("The man bites the dog, and the")])
second = torch.cat([first[:, :-1].flip(-1), first[:, -1:]], dim=-1)  # all pieces but the last, backwards
show.shapes(first=first, second=second)

# %% id="bag-of-words"
with torch.no_grad():
    assert (model(first)[0, -1] - model(second)[0, -1]).abs().max() > 0.5, "the trained model reads an order"
    with using(no_rotation), using(no_mask):
        assert_close(model(first)[0, -1], model(second)[0, -1], atol=1e-3, rtol=0)
print(tokenizer.decode(second[0].tolist()), "- without rotation and mask, all the same to six layers.")

# %% [markdown]
r"""
## 2.2 The sinusoids of 2017

**Why this shape.** A good code for positions should be *different* for every position, *continuous* (neighbours get similar codes), *bounded*, and the same step should look alike everywhere. A clock has all four: a fast hand, a slower one, a still slower one.

With C the model's width (`d_model` in code) and $p$ the position:

$$PE_{p,2i}=\sin\!\big(p/10000^{2i/C}\big),\qquad PE_{p,2i+1}=\cos\!\big(p/10000^{2i/C}\big),\qquad PE\text{: (length, C)}$$

By eye, four channels: pair 0 turns one radian a token, pair 1 a hundredth.
"""

# %%
encoding = positions.sinusoidal_encoding(length=3, d_model=4)
print(encoding)
assert_close(encoding[2], torch.tensor([math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]))


# %%
def encoding_by_loops(length, d_model):
    table = torch.zeros(length, d_model)
    for p in range(length):
        for i in range(d_model // 2):
            angle = p / 10000 ** (2 * i / d_model)
            table[p, 2 * i], table[p, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table


# %%
encoding = positions.sinusoidal_encoding(length=100, d_model=64)
assert_close(encoding, encoding_by_loops(100, 64), atol=1e-5, rtol=0)
show.shapes(encoding=encoding)
show.heatmap(encoding.T, title="Fast clocks on top, slow clocks below", x="position", y="channel C")
plt.show()

# %% [markdown]
r"""
**What you should see**: read along a row. The first channels change colour at almost every position, later ones more and more slowly; in the lower half sin ≈ 0 and cos ≈ 1 alternate from row to row and hardly change over 100 positions.

The four wishes, checked over ten thousand positions:
"""

# %% id="sinusoid-properties"
table = positions.sinusoidal_encoding(10_000, 32)
assert table.abs().max() <= 1, "bounded"
assert_close(table.norm(dim=-1), torch.full((10_000,), (32 / 2) ** 0.5), atol=1e-3, rtol=0)
assert len({tuple(row) for row in (table * 10_000).round().int().tolist()}) == 10_000, "no two positions share a code"

# %% [markdown]
r"""
Continuous: formula and code also take fractions of a position, and |PE(p + h) − PE(p)| goes to 0 with h.
"""


# %% id="sinusoid-continuous"
def encode_at(p, d_model=32):
    angles = p / 10000.0 ** (torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten()


steps = [1.0, 0.1, 0.01, 0.001]
jumps = [(encode_at(17 + h) - encode_at(17)).norm().item() for h in steps]
assert all(small < 0.2 * large for large, small in zip(jumps, jumps[1:]))
print([f"{jump:.4f}" for jump in jumps])

# %% [markdown]
r"""
The dot product of two codes depends on their distance only, and is largest at zero:
"""

# %% id="sinusoid-distance"
distances = torch.arange(-100, 101)
centre = {p: table[p + distances] @ table[p] for p in (500, 3_000)}
assert distances[centre[500].argmax()] == 0, "largest at distance 0"
assert_close(centre[500], centre[500].flip(0), atol=1e-3, rtol=0)  # the same on both sides
assert_close(centre[500], centre[3_000], atol=1e-3, rtol=0)
show.curves(
    distances,
    {"PE(p) · PE(p + distance)": centre[500]},
    title="Codes are most alike at distance 0, and alike on both sides",
    x="distance",
    y="dot product",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the highest peak at distance 0, waves around it, and the same on both sides: this product knows roughly *how far*, not *before or after*.
"""

# %% exercise="sinusoidal_encoding"
table = sinusoidal_encoding(5, 6)
assert table[0].tolist() == [0, 1, 0, 1, 0, 1]
print("Position 0 is sin 0 and cos 0 in every pair:", table[0].tolist())

# %% [markdown]
r"""
## 2.3 Learned positions, and their end

**Why not simply learn a vector for each position?** GPT-2 does. The table then has rows for the positions seen in training, and *nothing else*: a row that was never trained is what it was drawn as. A toy that shows it: learn 64 vectors so that position $p$ can be read off by a linear layer, with training on positions below 32 only. No gradient ever reaches the other rows.
"""


# %%
def learned_positions(trained, length, steps=200):
    generator = torch.Generator().manual_seed(0)
    table = (0.3 * torch.randn(length, 16, generator=generator)).requires_grad_()
    reader = torch.zeros(16, 1, requires_grad=True)
    optimizer = torch.optim.Adam([table, reader], lr=0.02)
    target = torch.arange(trained)[:, None] / trained
    for _ in range(steps):
        loss = (table[:trained] @ reader - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (table @ reader).detach().squeeze()


# %% id="learned-rows-end"
read = learned_positions(trained=32, length=64) * 32
error = (read - torch.arange(64)).abs()
assert error[:32].max() < 1, "every trained position is read to less than one place"
assert error[32:].median() > 10, "rows past the training are noise"
show.curves(
    torch.arange(64),
    {"read": read, "true": torch.arange(64)},
    title="Learned rows end where the training ended",
    x="position",
    y="position read off",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: a clean diagonal up to position 31, then noise.

## 2.4 RoPE: turn, do not add

**Why.** What a score should know is the *distance* m − n, not the two positions. Rotations do exactly that: turn the query by the angle m·θ and the key by n·θ, and their dot product sees only the difference, because turning both by the same angle changes nothing.

A head of width D is cut into D/2 pairs; pair $i$ is turned at its own speed:

$$\theta_i=\text{base}^{-2i/D},\qquad \text{angles}_{t,i}=p_t\,\theta_i,\qquad \text{angles: (T, D/2)},\ \text{in radians}$$

$$\begin{pmatrix}x'_i\\x'_{i+D/2}\end{pmatrix}=\begin{pmatrix}\cos a&-\sin a\\ \sin a&\cos a\end{pmatrix}\begin{pmatrix}x_i\\x_{i+D/2}\end{pmatrix},\qquad a=\text{angles}_{t,i}$$

Qwen pairs channel $i$ with channel $i + D/2$ (*half-split*). By eye, with D = 4, base 100: pair 0 turns 1 radian a token, pair 1 turns 1/10.
"""

# %%
angles = rope.rope_angles(torch.arange(3), d_head=4, base=100.0)
print(angles)
assert_close(angles, torch.tensor([[0, 0], [1, 0.1], [2, 0.2]]))

# %%
quarter = torch.tensor([[math.pi / 2, 0.0]])
x = torch.tensor([[1.0, 5.0, 0.0, 7.0]])
turned = rope.apply_rope(x, quarter)
print(turned.round(decimals=3))
assert_close(turned, torch.tensor([[0.0, 5.0, 1.0, 7.0]]), atol=1e-6, rtol=0)

# %% [markdown]
r"""
Pair 0 is channels 0 and 2: (1, 0) turned by a quarter is (0, 1). Pair 1, channels 1 and 3, was turned by 0.

In loops and, as a second opinion, with complex numbers: turning by $a$ is multiplying by $e^{ia}$.
"""


# %%
def rope_by_loops(x, angles):
    out, half = x.clone(), x.shape[-1] // 2
    for t in range(len(x)):
        for i in range(half):
            c, s = math.cos(angles[t, i]), math.sin(angles[t, i])
            out[t, i] = c * x[t, i] - s * x[t, i + half]
            out[t, i + half] = s * x[t, i] + c * x[t, i + half]
    return out


# %% id="rope-oracles"
B, H, T, D = 2, 3, 5, 14
generator = torch.Generator().manual_seed(0)
x = torch.randn(B, H, T, D, generator=generator, dtype=torch.float64)
angles = rope.rope_angles(torch.arange(T).double(), D)
turned = rope.apply_rope(x, angles)
show.shapes(x=x, angles=angles, turned=turned)

# %%
as_complex = torch.complex(x[..., : D // 2], x[..., D // 2 :]) * torch.polar(torch.ones_like(angles), angles)
assert_close(turned, torch.cat([as_complex.real, as_complex.imag], dim=-1))
assert_close(turned[1, 2], rope_by_loops(x[1, 2], angles))

# %% [markdown]
r"""
Three properties, and the answer to the prediction.
"""

# %% id="rope-properties"
assert turned[..., 0, :].equal(x[..., 0, :]), "position 0 is left alone"
assert_close(turned.norm(dim=-1), x.norm(dim=-1))  # lengths are kept

# %% id="rope-distance"
q, k = torch.randn(2, T, D, generator=generator, dtype=torch.float64)
here = rope.apply_rope(q, angles) @ rope.apply_rope(k, angles).mT
for shift in (1, 10, 100, 1_000, 12_345):
    there = rope.rope_angles(torch.arange(shift, shift + T).double(), D)
    assert_close(rope.apply_rope(q, there) @ rope.apply_rope(k, there).mT, here, atol=1e-9, rtol=0)

# %% [markdown]
r"""
**Both tokens move 100 places, and the score does not change at all.** Turn the knobs of the clock: m and n are the positions, the pair chooses the speed, the base sets all speeds; *shift* moves both tokens at once.
"""

# %%
clock = show.rope_clock()
clock

# %% [markdown]
r"""
**What you should see**: on the left two arrows that turn with m and n; on the right the score of this pair against the distance m − n, and a dot that stays where it is when you shift both.
"""

# %% exercise="rope_angles"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("HAMLET.\nTo be, or not to")])
    library = model(ids)
    with using(rope_angles):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% exercise="apply_rope"
with torch.no_grad():
    ids = torch.tensor([tokenizer.encode("《静夜思》李白\n床前明月光，疑是地上")])
    library = model(ids)
    with using(apply_rope):
        yours = model(ids)
assert_close(yours, library, atol=1e-4, rtol=0)
said = show.next_tokens(yours[0, -1], tokenizer)

# %% [markdown]
r"""
## 2.5 Fast pairs and slow pairs

**Why many speeds.** A fast pair tells neighbours apart but repeats itself after 6 tokens; a slow pair does not repeat within any text that we read, but hardly tells neighbours apart. Together they are the hands of one clock. The wavelength of pair $i$ is $2\pi\,\text{base}^{2i/D}$ tokens.
"""

# %% id="wavelengths"
D = model.config.d_head
wavelength = 2 * math.pi / rope.rope_angles(torch.tensor([1]), D)[0]
slow = (wavelength > model.config.max_length).sum().item()
print(f"{slow} of {D // 2} pairs never finish a turn within the {model.config.max_length} tokens of the training")
show.wavelengths(d_head=D, base=10_000.0, trained_length=model.config.max_length)
plt.show()

# %% [markdown]
r"""
**What you should see**: a straight line on the logarithmic axis, from 6 tokens to tens of thousands, and the training length crossing it in the middle. The pairs above the line have never seen a whole turn: this is where long contexts break, and what lesson 09 mends with a larger base.
"""

# %% exercise="02_slowest_pair"

# %% [markdown]
r"""
**Keep angles in float32.** The report keeps the frequencies in FP32, and this is why: bfloat16 has 8 significant bits, so above 256 it cannot count by ones.
"""

# %% id="float32-angles"
near = torch.arange(256, 264)
assert near.bfloat16().unique().numel() < 8, "in bfloat16 neighbours collide"
assert rope.rope_angles(near, D)[:, 0].unique().numel() == 8
print(near.bfloat16().int().tolist())

# %% [markdown]
r"""
## 2.6 What the trained model does with it

RoPE alone prefers no distance; a *constant part* of queries and keys does, and the **bias** of their projections is the plainest one. Qwen keeps biases there and nowhere else ("to enhance the extrapolation ability", section 2.3.1). With contents $q, k$ and biases $a, b$, the query at $m$ and the key at $n$: $(q+a)^\top R_{n-m}\,(k+b)$ contains $a^\top R_{n-m}\,b$, a score that depends on nothing but the distance.
"""

# %% id="bias-scores"
reach = torch.arange(0, 64)
layer = model.model.layers[0].self_attn
a = layer.q_proj.bias.detach().view(-1, 1, D)
b = layer.k_proj.bias.detach().view(-1, 1, D).expand(-1, len(reach), -1)
scores = (
    rope.apply_rope(a, rope.rope_angles(torch.tensor([63]), D))
    @ rope.apply_rope(b, rope.rope_angles(63 - reach, D)).mT
    / D**0.5
)
show.shapes(a=a, b=b, scores=scores)
assert_close(scores, a @ rope.apply_rope(b, rope.rope_angles(-reach, D)).mT / D**0.5, atol=1e-5, rtol=0)

# %%
ranges = scores.squeeze(1).amax(-1) - scores.squeeze(1).amin(-1)
chosen = ranges.topk(3).indices.tolist()
show.curves(
    reach,
    {f"head {h}": scores[h, 0] for h in chosen},
    title="What the biases alone say about distance, layer 0",
    x="distance m − n",
    y="score",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: curves that prefer certain distances without any word being read. (How strong they are depends on the training; the three strongest heads of layer 0 are drawn.)

**Half-split or interleaved?** The RoFormer paper pairs neighbouring channels (0, 1), (2, 3), ...; Qwen pairs (0, D/2), (1, D/2 + 1), ... Both are rotations and both are right *for weights that were trained with them*. Mixed up, no shape complains:
"""


# %%
def apply_rope_interleaved(x, angles):
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()]
    return torch.stack(turned, dim=-1).flatten(-2)


apply_rope_interleaved.__name__ = "apply_rope"


# %%
from minqwen.data import corpus

scenes = [tokenizer.encode("<|endoftext|>" + d.text, allow_control=True) for d in corpus.load("held_out", "en")]
ids = torch.tensor([scene[:192] for scene in scenes if len(scene) >= 192][:12])


@torch.no_grad()
def nats_per_token():
    logp = model(ids[:, :-1]).log_softmax(dim=-1)
    return -logp.gather(-1, ids[:, 1:, None]).mean().item()


# %% id="half-split-or-interleaved"
right = nats_per_token()
with using(apply_rope_interleaved):
    mixed_up = nats_per_token()
with using(no_rotation):
    without = nats_per_token()
assert mixed_up > right + 0.3 and without > right + 0.3

# %%
show.bars(
    [right, mixed_up, without],
    ["half-split (as trained)", "interleaved", "no rotation"],
    title="The same weights under another pairing have lost their sense of place",
    x="nats a token on twelve unseen scenes (less is better)",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: most of what positions are worth is gone with the wrong pairing, though every shape fits.
"""

# %% exercise="02_interleaved"

# %% [markdown]
r"""
The two pairings are one and the same up to a renaming of channels, so weights can be converted once:
"""

# %% id="same-up-to-order"
x = torch.randn(T, D, generator=generator)
angles = rope.rope_angles(torch.arange(T), D)
order = torch.arange(D).view(2, -1).mT.flatten()  # half-split channel standing at each interleaved place
assert_close(apply_rope_interleaved(x[:, order], angles), rope.apply_rope(x, angles)[:, order])

# %% [markdown]
r"""
## 2.7 The ladder
"""

# %%
x = torch.randn(T, D, generator=generator, dtype=torch.float64)
angles = rope.rope_angles(torch.arange(T).double(), D)
as_complex = torch.complex(*x.chunk(2, dim=-1)) * torch.polar(torch.ones_like(angles), angles)
rungs = {
    "loops": rope_by_loops(x, angles),
    "complex numbers": torch.cat([as_complex.real, as_complex.imag], dim=-1),
    "minqwen": rope.apply_rope(x, angles),
}
for name, out in rungs.items():
    print(f"{name:16} largest difference from the loops: {(out - rungs['loops']).abs().max():.0e}")
    assert_close(out, rungs["loops"])

# %% [markdown]
r"""
The fourth rung, `transformers`, stands in `tests/model/test_rope.py`: a learner need not install it.

## 2.8 Put right

> "With RoPE, attention decays with distance."

Not quite. What falls with distance is an upper bound, and the mean score of vectors that *resemble each other*. Independent queries and keys score alike at every distance:
"""

# %% id="no-decay"
q, k = torch.randn(2, 20_000, D, generator=generator)
far = [0, 1, 16, 128, 255]
spread = [
    (rope.apply_rope(q[:, None], rope.rope_angles(torch.tensor([m]), D)).squeeze(1) * k).sum(-1).std() for m in far
]
print([f"{each:.2f}" for each in spread])
assert max(spread) < 1.05 * min(spread), "no decay at all"

# %% [markdown]
r"""
And where query and key are the same vector, the mean falls in the long run but rises again and again on the way:
"""

# %%
same = torch.ones(1, D)
by_distance = torch.stack(
    [(rope.apply_rope(same, rope.rope_angles(torch.tensor([m]), D)) * same).sum() for m in range(256)]
)
rises = (by_distance[1:] > by_distance[:-1]).sum().item()
assert by_distance.argmax() == 0 and rises > 50
show.curves(
    torch.arange(256),
    {"q = k": by_distance},
    title=f"The score of equal vectors rises at {rises} of 255 steps",
    x="distance m − n",
    y="score",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: a falling trend with waves on it. A head that wants to look far can: it only has to learn queries and keys that do not point the same way.

## 2.9 Not shown at this size

* The report trains on 2,048 positions and stretches to 16,384 without training (NTK-aware, LogN, windows): lesson 09, in miniature.
* That the QKV bias *improves* extrapolation needs several trained models side by side; here you have seen how it can speak about distance, not that it helps.

## Summary · 小结

1. Attention sees a set; order must be put in. · 注意力看到的是集合，顺序必须另外加入。
2. Sinusoids are clocks of many speeds: different, continuous, bounded. · 正弦编码是快慢不一的时钟：互异、连续、有界。
3. Learned rows end where the training ended. · 学习到的位置向量止于训练长度。
4. RoPE turns queries and keys; the score sees only m − n. · RoPE 旋转查询与键，分数只取决于 m − n。
5. Qwen pairs channel i with i + D/2 and keeps angles in float32. · Qwen 将通道 i 与 i + D/2 配对，角度保持 float32。

**Your prediction**: both tokens move 100 places, and the score stays exactly the same.

**Recall**

<details><summary>1. Why are there both fast and slow pairs?</summary>

Fast pairs tell neighbours apart but repeat soon; slow pairs tell far places apart but not neighbours.

</details>
<details><summary>2. Where does RoPE act, and on what not?</summary>

On queries and keys, in every layer. Not on values, and nothing is added to the embedding.

</details>
<details><summary>3. What is the rotation at position 0?</summary>

The identity: all angles are 0.

</details>
<details><summary>4. What happens if weights trained half-split are run interleaved?</summary>

Shapes fit and nothing complains, but every pair is made of channels that do not belong together, and the loss rises.

</details>
<details><summary>5. Why must positions not be bfloat16?</summary>

It keeps 8 significant bits: above 256 neighbouring positions become equal.

</details>
"""
