# %% [markdown]
r"""
# 03 · The Transformer of 2017 · 2017 年的 Transformer

**What stands around attention in a Transformer, and what does each part do?** · **Transformer 中注意力之外还有哪些部分，各有何用？**

| | |
| --- | --- |
| Paper | Vaswani et al. 2017, "Attention Is All You Need" ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)), sections 3 and 4; Ba et al. 2016 ([arXiv:1607.06450](https://arxiv.org/abs/1607.06450)); Xiong et al. 2020 ([arXiv:2002.04745](https://arxiv.org/abs/2002.04745)) |
| You will have built | feed-forward, layer norm and the decoder's mask; an encoder-decoder equal to `torch.nn.Transformer`; a model that writes 12 as twelve and as 十二 |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 01 and 02 |
| Exercises | 3.1 feed_forward · 3.2 layer_norm · 3.3 target_mask · 3.4 a bug · 3.5 parameters |
"""

# %% tags=["setup"]
import time
from unittest import mock

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close
from tqdm import tqdm

from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.data import numbers
from minqwen.model import attention, mlp, norm, positions, schedule, seq2seq, training, transformer

model = transformer.Transformer.from_pretrained(assets.NUMBER_WRITER)
generator = torch.Generator().manual_seed(0)


def translate(model, texts, into):
    """What the model writes for each text, in the writing that is asked for."""
    source = seq2seq.pad([numbers.question(text, into) for text in texts])
    return [numbers.decode(row) for row in seq2seq.greedy(model, source, numbers.START, numbers.STOP, 32).tolist()]


# %% [markdown]
r"""
## 3.0 Look first

The first Transformer was a translator. An **encoder** reads a text; a **decoder** writes another, and looks back at what was read. Ours is small, and translates numbers between three writings, letter by letter. None of these stood in its training, in any direction:
"""

# %% id="look-first"
known, held_out = numbers.split(200)
asked = held_out[60:180:20]
as_words = [numbers.write(n, "english") for n in asked]
as_characters = translate(model, as_words, into="chinese")
show.table(
    ["read", "written: Chinese", "written: digits"],
    list(zip(as_words, as_characters, translate(model, as_words, into="digits"))),
)

# %% [markdown]
r"""
| part | what it does | section |
| --- | --- | --- |
| attention | lets any token look at any other in one step | 3.1, lesson 01 |
| feed-forward | works on each token by itself | 3.2 |
| layer norm | gives each token one size | 3.3 |
| residual path | lets signal and gradient pass a layer unchanged | 3.4 |
| decoder, cross-attention | writes, hides the future, looks back at the source | 3.5 |

**Predict**: of the six directions between digits, English and Chinese, which does the model find hardest?

## 3.1 Why not a recurrent network?

**Why.** Before 2017 texts were read by recurrent networks, mostly the LSTM: a state is carried from token to token. What the first token said must survive every step on the way to the last, and so must the gradient on its way back. Attention has a way of length 1 to every token:

$$\text{LSTM: } h_t=f(h_{t-1},x_t)\qquad\text{attention: } o_t=\textstyle\sum_{s\le t}w_{ts}\,v_s,\qquad x,h,o\text{: (B, T, C)}$$

By eye: if each step passes on 0.9 of the gradient, 64 steps pass on 0.9⁶⁴ = 0.001.
"""

# %%
B, T, C, H = 2, 257, 64, 4
lstm = nn.LSTM(C, C, batch_first=True)
look = transformer.MultiHeadAttention(C, H)
for parameter in [*lstm.parameters(), *look.parameters()]:
    nn.init.uniform_(parameter, -(C**-0.5), C**-0.5, generator=generator)  # as torch draws an LSTM
x = torch.randn(B, T, C, generator=generator)
show.shapes(x=x, recurrent=lstm(x)[0], attention=look(x, x, attention.causal_mask(T, T)[None, None]))


# %%
def reach(read, x, distances):
    """How strongly the result at each distance depends on token 1: the norm of a gradient."""
    x, direction = x.clone().requires_grad_(), torch.randn(C, generator=generator)
    out = read(x)
    results = [(out[:, distance] @ direction).sum() for distance in distances]
    return [torch.autograd.grad(result, x, retain_graph=True)[0][:, 0].norm().item() for result in results]


# %% [markdown]
r"""
An LSTM has a *forget gate*; with a bias of 1 it keeps more of its state from the start (Jozefowicz et al. 2015). So that it is not made to look worse than it is, both are measured. And the price: one step of training, forward and backward, by length.
"""

# %% id="gradient-to-token-1"
distances = [1, 2, 4, 8, 16, 32, 64, 128, 256]
mask = attention.causal_mask(T, T)[None, None]
far = {"LSTM": reach(lambda x: lstm(x)[0], x, distances)}
with torch.no_grad():
    lstm.bias_hh_l0[C : 2 * C] = 1.0  # the second quarter belongs to the forget gate
far["LSTM, gate at 1"] = reach(lambda x: lstm(x)[0], x, distances)
far["attention"] = reach(lambda x: look(x, x, mask), x, distances)
assert far["attention"][6] > 1000 * far["LSTM, gate at 1"][6] > 1000 * far["LSTM"][6]


# %% id="time-by-length"
def seconds(read, T):
    x, best = torch.randn(B, T, C, generator=generator), float("inf")
    for _ in range(3):
        start = time.process_time()
        read(x).square().sum().backward()
        best = min(best, time.process_time() - start)
    return best


lengths = [32, 64, 128, 256, 512, 1024]
cost = {
    "LSTM": [1000 * seconds(lambda x: lstm(x)[0], T) for T in lengths],
    "attention": [
        1000 * seconds(lambda x, T=T: look(x, x, attention.causal_mask(T, T)[None, None]), T) for T in lengths
    ],
}
growth = {name: values[-1] / values[-3] for name, values in cost.items()}
print({name: f"4 times the length, {value:.1f} times the time" for name, value in growth.items()})
assert growth["attention"] > growth["LSTM"], "T² pairs against T steps"

# %%
show.reach_and_cost(distances, far, lengths, cost)
plt.show()

# %% [markdown]
r"""
**What you should see**: on the left two lines that fall off a cliff (what is below 10⁻¹² is drawn there), and attention, which falls like 1/T because T tokens share one sum of 1. On the right attention gets *steeper* with length: every token looks at all before it. What the LSTM cannot do is hurry: its T steps wait for one another, while attention is a few products of matrices that any number of cores can share. Section 3.8 counts.

## 3.2 Feed-forward: each token by itself

**Why.** Attention mixes tokens, but what it makes of them is an average of values. The other half of a layer widens each token, bends it, and narrows it again:

$$\text{ffn}(x)=\max(0,\;xW_1^\top+b_1)\,W_2^\top+b_2$$

with $x$: (B, T, C), $W_1$: (F, C), $W_2$: (C, F), and F = 4C in 2017. By eye, with one channel, W₁ = 2, b₁ = −3, W₂ = 10, b₂ = 1: the token 2 becomes 11, the token 1 becomes 1.
"""

# %%
one = [torch.tensor([[2.0]]), torch.tensor([-3.0]), torch.tensor([[10.0]]), torch.tensor([1.0])]
print(mlp.feed_forward(torch.tensor([[2.0], [1.0]]), *one).flatten())


# %%
def feed_forward_by_loops(row, w1, b1, w2, b2):
    hidden = [max(0.0, sum(a * w for a, w in zip(row, ws)) + b) for ws, b in zip(w1, b1)]
    return [sum(a * w for a, w in zip(hidden, ws)) + b for ws, b in zip(w2, b2)]


# %% id="feed-forward-oracles"
B, T, C, width = 2, 5, 7, 11
x = torch.randn(B, T, C, generator=generator, dtype=torch.float64)
up, down = nn.Linear(C, width, dtype=torch.float64), nn.Linear(width, C, dtype=torch.float64)
weights = [up.weight, up.bias, down.weight, down.bias]
ours = mlp.feed_forward(x, *weights)
by_loops = feed_forward_by_loops(x[1, 2].tolist(), *(w.tolist() for w in weights))
assert_close(ours[1, 2], torch.tensor(by_loops, dtype=torch.float64))
assert_close(ours, down(up(x).relu()))
show.shapes(x=x, w1=up.weight, w2=down.weight, ours=ours)

# %% exercise="feed_forward"
library = translate(model, ["three hundred twenty-one", "twelve"], into="chinese")
with using(feed_forward):
    yours = translate(model, ["three hundred twenty-one", "twelve"], into="chinese")
assert yours == library
print(yours)

# %% [markdown]
r"""
**Does it need one?** Two stacks of equal size: six layers of attention alone, and two whole layers (an attention has 4C² parameters, a feed-forward layer 8C²). They learn facts by heart: a table drawn at random gives for each two neighbouring letters, of 24, a third; at every position the model shall say it.
"""


# %%
class AttentionOnly(transformer.EncoderLayer):
    def __init__(self, config):
        super().__init__(config)
        del self.linear1, self.linear2, self.norm2

    def forward(self, x, mask=None):
        return self.add(x, lambda x: self.self_attn(x, x, mask), self.norm1)


def reader(layer, n_layers, letters, C, generator):
    """Embedding, a stack of layers, a score for every letter."""
    stack = transformer.Stack(layer, transformer.TransformerConfig(letters, C, n_layers, 4, 4 * C, norm_first=True))
    parts = nn.ModuleDict({"embed": nn.Embedding(letters, C), "stack": stack, "say": nn.Linear(C, letters)})
    for parameter in parts.parameters():
        if parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter, generator=generator)
    return parts


# %%
def learn_facts(layer, n_layers, letters=24, steps=300, C=32, T=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    facts = torch.randint(0, letters, (letters, letters), generator=generator)
    parts, right = reader(layer, n_layers, letters, C, generator), []
    optimizer, mask = training.adamw(parts, 0.0), attention.causal_mask(T, T)[None, None]
    places = positions.sinusoidal_encoding(T, C)
    for step in range(steps):
        read = torch.randint(0, letters, (64, T), generator=generator)
        to_say = facts[read[:, :-1], read[:, 1:]]
        scores = parts["say"](parts["stack"](C**0.5 * parts["embed"](read) + places, mask))[:, 1:]
        for group in optimizer.param_groups:
            group["lr"] = schedule.cosine_schedule(step, 40, steps, peak=3e-3)
        optimizer.zero_grad()
        F.cross_entropy(scores.flatten(0, 1), to_say.flatten()).backward()
        optimizer.step()
        right.append((scores.argmax(-1) == to_say).float().mean().item())
    return parts["stack"], right


# %% id="with-and-without-feed-forward"
stacks = {"attention alone": (AttentionOnly, 6), "with feed-forward": (transformer.EncoderLayer, 2)}
learned = {name: learn_facts(*each) for name, each in stacks.items()}
sizes = {name: sum(p.numel() for p in stack.parameters() if p.ndim == 2) for name, (stack, _) in learned.items()}
assert len(set(sizes.values())) == 1, "equal parameters"
shares = {name: torch.tensor(right).view(-1, 20).mean(dim=1) for name, (_, right) in learned.items()}
assert shares["with feed-forward"][-1] > shares["attention alone"][-1] + 0.1
show.curves(
    list(range(20, 301, 20)),
    shares,
    title="At equal size, whole layers learn more facts than attention alone",
    x="step",
    y="share of facts right",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the stack with feed-forward well ahead. Attention alone is not helpless, its softmax is a bend as well; but it bends *where a token looks*, not what it makes of what it sees. (One seed. On an easier task, the difference between a digit and the one before it, both stacks reached 99 % in a trial of ours, so what is shown is about facts learnt by heart.)

## 3.3 Layer norm: one token, one size

**Why.** A part that is trained on inputs of one size should get inputs of one size. Layer norm gives every token mean 0 and variance 1, then a learned factor and shift for each channel:

$$\text{layer\_norm}(x)_c=\frac{x_c-\mu}{\sqrt{\sigma^2+\varepsilon}}\,w_c+b_c,\qquad \mu=\tfrac1C\textstyle\sum_c x_c,\quad \sigma^2=\tfrac1C\sum_c(x_c-\mu)^2,\qquad w,b\text{: (C)}$$

By eye: (1, 3) has mean 2 and variance 1, and becomes (−1, 1).
"""

# %%
print(norm.layer_norm(torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2)))


# %%
def layer_norm_by_loops(row, weight, bias, eps):
    mean = sum(row) / len(row)
    variance = sum((value - mean) ** 2 for value in row) / len(row)
    return [(value - mean) / (variance + eps) ** 0.5 * w + b for value, w, b in zip(row, weight, bias)]


# %% id="layer-norm-oracles"
weight, bias = torch.randn(2, C, generator=generator, dtype=torch.float64)
ours = norm.layer_norm(x, weight, bias)
by_loops = layer_norm_by_loops(x[1, 2].tolist(), weight.tolist(), bias.tolist(), 1e-5)
assert_close(ours[1, 2], torch.tensor(by_loops, dtype=torch.float64))
assert_close(ours, F.layer_norm(x, (C,), weight, bias))
show.shapes(x=x, weight=weight, bias=bias, ours=ours)

# %% [markdown]
r"""
**Why not batch norm?** That one takes mean and variance over the *batch*, channel by channel. So what a text becomes depends on the texts that happen to be in its batch. Make one of two texts louder, and look at the other:
"""

# %% id="batch-mates"
pair = torch.randn(2, T, C, generator=generator)
louder = torch.stack([pair[0], 100 * pair[1]])
norms = {
    "layer norm": lambda x: norm.layer_norm(x, torch.ones(C), torch.zeros(C)),
    "batch norm": lambda x: F.batch_norm(x.mT, None, None, training=True).mT,  # wants channels second
}
for name, f in norms.items():
    print(f"{name}: the first text changes by up to {(f(louder)[0] - f(pair)[0]).abs().max():.3f}")
assert norms["layer norm"](louder)[0].equal(norms["layer norm"](pair)[0])
assert not norms["batch norm"](louder)[0].allclose(norms["batch norm"](pair)[0], atol=0.1)

# %% exercise="layer_norm"
library = translate(model, ["nine hundred ninety-nine", "forty"], into="chinese")
with using(layer_norm):
    yours = translate(model, ["nine hundred ninety-nine", "forty"], into="chinese")
assert yours == library
print(yours)

# %% [markdown]
r"""
## 3.4 The residual path, and where the norm stands

**Why.** A layer does not replace its input, it adds to it: $x + \text{part}(x)$. The sum lets the gradient pass unchanged, however many layers there are. In 2017 the norm came after the sum (**post-norm**); today it stands before the part (**pre-norm**), off the path:

$$\text{2017: } \text{norm}(x+\text{part}(x))\qquad\text{today: } x+\text{part}(\text{norm}(x))$$

By eye: if a part passes on a tenth of the gradient, 32 of them pass on 10⁻³². With the sum, a layer passes on 1 + 0.1.

Three models of 32 + 32 layers, untrained, and one batch of numbers. How large is the gradient of each layer of the decoder? Without a path:
"""


# %%
def no_path(self, x, part, layer_norm):
    return part(layer_norm(x))


def gradients(norm_first, depth=32):
    config = transformer.TransformerConfig(numbers.VOCAB_SIZE, 32, depth, 4, 128, norm_first)
    deep = transformer.Transformer(config, torch.Generator().manual_seed(0))
    pairs = numbers.pairs(range(100, 106))
    seq2seq.pair_loss(deep, *(seq2seq.pad(rows) for rows in zip(*pairs))).backward()
    return [torch.stack([p.grad.norm() for p in layer.parameters()]).norm().item() for layer in deep.decoder.layers]


# %% id="gradients-by-layer"
by_layer = {"norm before": gradients(norm_first=True), "norm after": gradients(norm_first=False)}
with mock.patch.object(transformer.Layer, "add", no_path):
    by_layer["no path"] = gradients(norm_first=True)
ends = {name: (values[0], values[-1]) for name, values in by_layer.items()}
print({name: f"lowest layer {low:.0e}, highest {high:.0e}" for name, (low, high) in ends.items()})
assert ends["no path"][0] < 1e-9 * ends["no path"][1], "without a path nothing arrives"
assert ends["norm after"][0] < 0.1 * ends["norm after"][1], "a norm on the path shrinks it at every layer"
assert 0.1 < ends["norm before"][0] / ends["norm before"][1] < 10

# %%
show.curves(
    list(range(1, 33)),
    {name: [max(value, 1e-12) for value in values] for name, values in by_layer.items()},
    title="Only the path past the norms carries the gradient down evenly",
    x="layer of the decoder, 32 is nearest to the loss",
    y="size of the gradient",
    log_y=True,
)
plt.show()

# %% [markdown]
r"""
**What you should see**: read from right to left, as the gradient runs. Without a path it is gone after a few layers (below 10⁻¹² is drawn there); with the norm after the sum it shrinks steadily; with the norm before it stays level. That is why post-norm wants a slow warm-up of the learning rate (Xiong et al. 2020), and why everybody, Qwen included, puts the norm first.

What else the path does: attention averages, so layer by layer all tokens become *the same* vector (Dong et al. 2021, [arXiv:2103.03404](https://arxiv.org/abs/2103.03404)). The mean cosine between two tokens of a text, at every depth of the encoder:
"""


# %%
@torch.no_grad()
def likeness(norm_first, text="three hundred twenty-one"):
    config = transformer.TransformerConfig(numbers.VOCAB_SIZE, 32, 32, 4, 128, norm_first)
    deep, cosines = transformer.Transformer(config, torch.Generator().manual_seed(0)), []
    x = deep.embed(torch.tensor([numbers.question(text, "chinese")]))
    for layer in deep.encoder.layers:
        x = layer(x)
        between = F.normalize(x[0], dim=-1) @ F.normalize(x[0], dim=-1).mT
        cosines.append(between.triu(1).sum().item() / between.triu(1).count_nonzero().item())
    return cosines


# %% id="tokens-become-one"
alike = {"with the path": likeness(norm_first=True)}
with mock.patch.object(transformer.Layer, "add", no_path):
    alike["without"] = likeness(norm_first=True)
assert alike["without"][7] > 0.999 > 0.97 > alike["with the path"][-1]
show.curves(
    list(range(1, 33)),
    alike,
    title="Without the path all tokens are one after a few layers",
    x="layer of the encoder",
    y="cosine between two tokens",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: the lower line creeps up and stays below 1; the upper one is at 1 almost at once, and what was read is lost.

## 3.5 The decoder: hide the future, look back at the source

**Why.** All positions of a target are trained at once, each on the right letters before it (*teacher forcing*). So position t must not see what comes after it, and nobody may look at padding. And the decoder has a second attention, **cross-attention**: its queries come from what it has written, keys and values from what the encoder read.

$$\text{mask}_{b,t,s}=(s\le t)\wedge\text{is\_token}_{b,s}\qquad q=xW_Q^\top\text{: (B, T, C)},\quad k=mW_K^\top,\ v=mW_V^\top\text{: (B, S, C)}$$

$m$ is the *memory*, the encoder's result. Two targets, 七 and 十二, from start to stop:
"""

# %% id="target-mask"
target = seq2seq.pad([[numbers.START, *numbers.encode(text), numbers.STOP] for text in ("七", "十二")])
mask = transformer.target_mask(target.is_token)
expected = [[[[s <= t and s < n for s in range(4)] for t in range(4)]] for n in (3, 4)]
assert mask.tolist() == expected, "loops"
show.shapes(ids=target.ids, is_token=target.is_token, mask=mask)
print(mask[0, 0].int())

# %% exercise="target_mask"
library = translate(model, ["105", "990"], into="chinese")
with using(target_mask):
    yours = translate(model, ["105", "990"], into="chinese")
assert yours == library
print(yours)

# %% [markdown]
r"""
**Where does it look?** Each row of the picture is a letter that our model writes, each column one that it read; the shares are the mean over the heads of a layer. ⏎ is the end of the text, ▶ the question for a writing.
"""


# %%
@torch.no_grad()
def looks(text, into, layer):
    """What is read, what is written, and how the cross-attention of a layer shares its looks, mean over heads."""
    source = seq2seq.pad([numbers.question(text, into)])
    written = seq2seq.greedy(model, source, numbers.START, numbers.STOP, 32)
    target = torch.cat([torch.tensor([[numbers.START]]), written[:, :-1]], dim=1)
    part, seen = model.decoder.layers[layer].multihead_attn, []
    hook = part.register_forward_pre_hook(lambda part, inputs: seen.append(part.queries_keys_values(*inputs[:2])))
    model(source.ids, target, source.is_token, torch.ones_like(target, dtype=torch.bool))
    hook.remove()
    return [*numbers.decode(written[0].tolist()), "⏎"], attention.attention_weights(*seen[0][:2])[0].mean(dim=0)


def look_plot(number=321, read="english", write="chinese", layer=1):
    text = numbers.write(number, read)
    rows, weights = looks(text, write, layer - 1)
    columns = ["▶", *text.replace(" ", "␣")]
    show.heatmap(
        weights, f"{text} is read, {''.join(rows[:-1])} is written", "read", "written", columns, rows, high=1.0
    )
    return weights


# %% id="cross-attention"
weights = look_plot(321, "english", "chinese", layer=2)
show.shapes(weights=weights)
assert_close(weights.sum(dim=-1), torch.ones(len(weights)))
brightest = weights.argmax(dim=-1)[[0, 2, 4]].tolist()  # in the rows of 三, 二 and 一; column 0 is the question
words = [range(1, 6), range(15, 21), range(22, 25)]  # the columns of three, twenty and one
assert all(column in word for column, word in zip(brightest, words))
plt.show()

# %% [markdown]
r"""
**What you should see**: 三 looks at *three*, 二 at *twenty*, 一 at *one*, each at the letters that tell its word from the others. 百 and 十 follow from where in the number the model is, and look about.
"""

# %%
show.explore(look_plot, number=(0, 999), read=list(numbers.WRITINGS), write=list(numbers.WRITINGS), layer=(1, 2))

# %% exercise="03_deaf_decoder"

# %% exercise="03_base_model"

# %% [markdown]
r"""
## 3.6 The ladder: equal to torch

Our module has the names of `torch.nn.Transformer`, so its weights load as they are. In torch **True means: may not be attended to**, so every mask is turned round. Both orders of the norm, padding on both sides:
"""

# %% id="equals-torch-transformer"
B, S, T, C = 3, 7, 5, 22
is_source = torch.arange(S) < torch.tensor([7, 3, 5])[:, None]
is_target = torch.arange(T) < torch.tensor([2, 5, 4])[:, None]
source, target = (torch.randint(0, 17, (B, n), generator=generator) for n in (S, T))
show.shapes(source=source, target=target, is_source=is_source, is_target=is_target)


# %%
def ours_and_torch(norm_first, dtype):
    config = transformer.TransformerConfig(17, C, 2, 2, 13, norm_first)
    ours = transformer.Transformer(config, torch.Generator().manual_seed(0)).to(dtype)
    theirs = nn.Transformer(C, 2, 2, 2, 13, 0.0, batch_first=True, norm_first=norm_first, dtype=dtype)
    ours.load_state_dict(theirs.state_dict(), strict=False)  # torch has no embedding
    x, y, hidden = ours.embed(source), ours.embed(target), {"tgt_mask": ~attention.causal_mask(T, T)}
    hidden |= {"src_key_padding_mask": ~is_source, "memory_key_padding_mask": ~is_source}
    expected = theirs(x, y, **hidden, tgt_key_padding_mask=~is_target)
    seen = is_source[:, None, None, :]
    return ours.decoder(y, ours.encoder(x, seen), transformer.target_mask(is_target), seen), expected


# %% id="ladder"
for norm_first in (False, True):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        ours, expected = ours_and_torch(norm_first, dtype)
        assert_close(ours, expected, atol=tolerance, rtol=0)
        print(f"norm_first={norm_first!s:5} {dtype}: differs by up to {(ours - expected).abs().max():.0e}")

# %% [markdown]
r"""
| rung | where it is checked |
| --- | --- |
| loops = minqwen, for feed-forward, layer norm, the mask and cross-attention | above, and in the exercises |
| torch = minqwen, whole stacks, results and gradients, padded and causal | above, and in `tests/model/test_transformer.py` |
| a padded batch = each pair by itself; a later letter changes nothing before it | `tests/model/test_transformer.py` |

## 3.7 Numbers in three writings

**The task.** 12, twelve and 十二; any of the three is read, any other written: six directions. The encoder is told which by its first token. 200 of the 1000 numbers are **held out: they stand in no direction** in the training. To write them, the model must have learnt how the parts of a number correspond, hundreds, tens and ones, and what is irregular: *thirteen*, *forty*, 一百零五, and that 12 is 十二 while 112 is 一百一十二.
"""

# %% id="held-out-unseen"
pairs = numbers.pairs(known)
seen = {numbers.decode(ids) for pair in pairs for ids in pair}
assert not seen & {numbers.write(n, writing) for n in held_out for writing in numbers.WRITINGS}
print(f"{len(pairs)} pairs to learn from, such as", [numbers.decode(ids) for ids in pairs[6 * 100]])


# %% id="shipped-number-writer"
def exact(model):
    """The share of held-out numbers that come out without a mistake, by direction."""
    shares = {}
    for read in numbers.WRITINGS:
        for write in set(numbers.WRITINGS) - {read}:
            said = translate(model, [numbers.write(n, read) for n in held_out], into=write)
            right = [text == numbers.write(n, write) for text, n in zip(said, held_out)]
            shares[f"{read} to {write}"] = sum(right) / len(right)
    return dict(sorted(shares.items()))


shipped = exact(model)
mean = sum(shipped.values()) / 6
print(f"shipped model: {mean:.1%} of held-out numbers are exact")
assert mean >= 0.95

# %% [markdown]
r"""
**Live.** The same model from nothing, in a third of the steps. The loss is the mean of −log p of the right next letter; batches hold pairs of about one length, so that little is padding (the paper's section 5.1).
"""

# %% id="live-training"
STEPS, generator = 1100, torch.Generator().manual_seed(0)
live = transformer.Transformer(transformer.TransformerConfig(numbers.VOCAB_SIZE), generator)
training_run = seq2seq.train(live, pairs, STEPS, batch_size=32, peak=2e-3, generator=generator)
losses = list(tqdm(training_run, total=STEPS, leave=False))
show.curves(
    list(range(50, STEPS + 1, 50)),
    {"training loss": torch.tensor(losses).view(-1, 50).mean(dim=1)},
    title="The loss falls to nearly nothing in the last third",
    x="step",
    y="nats a letter",
)
plt.show()

# %% id="live-number-writer"
ours = exact(live)
mean = sum(ours.values()) / 6
print(f"live model: {mean:.1%} of held-out numbers are exact")
assert mean >= 0.8
into = {w: sum(share for name, share in ours.items() if name.endswith(w)) / 2 for w in numbers.WRITINGS}
assert into["english"] < into["digits"]
show.bars(
    list(ours.values()),
    list(ours),
    title="English is harder to write than digits",
    x="share of 200 held-out numbers, exact",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: all six above four in five, and the two that write English shorter than the two that write digits: one wrong letter among twenty spoils a number. What does it get wrong?
"""

# %% id="what-goes-wrong"
said = translate(live, [str(n) for n in held_out], into="english")
wrong = [(n, text) for n, text in zip(held_out, said) if text != numbers.write(n, "english")]
short = sum(n < 100 for n, _ in wrong) / max(1, sum(n < 100 for n in held_out))
long = sum(n >= 100 for n, _ in wrong) / sum(n >= 100 for n in held_out)
print(f"wrong below 100: {short:.0%}, from 100 on: {long:.0%};", *wrong[:4])
assert short > long

# %% [markdown]
r"""
Numbers below 100 go wrong more often: only a tenth of what it learns from is that short, and a rule that is seen rarely is learnt late.

## 3.8 Put right

> "Transformers replaced recurrent networks because they compute less."

They compute *more* on long texts: attention needs T² C products for its scores and as many for its averages, an LSTM 8 C² for each of T tokens, so attention needs more from T = 4 C on (table 1 of the paper compares T² C with T C²). What is less is the number of steps that must wait for one another: 1 in place of T.
"""

# %% id="attention-computes-more"
for T, C in ((128, 512), (4096, 512), (32_768, 4096)):
    pairs_of_tokens, recurrent = 2 * T * T * C, 8 * T * C * C  # an LSTM has eight matrices (C, C)
    print(f"T = {T:6,}, C = {C}: attention {pairs_of_tokens:.1e} products in 1 step, LSTM {recurrent:.1e} in {T:,}")
    assert (pairs_of_tokens > recurrent) == (T > 4 * C)

# %% [markdown]
r"""
## 3.9 Not shown at this size

* Translation between languages, at 65 to 213 million parameters and 4.5 million pairs; dropout and label smoothing, which the paper needs and a thousand numbers do not.
* Beam search. The paper keeps four candidate texts; greedy decoding keeps one.
* That post-norm *fails* when it is deep: above are gradients before training. Lesson 04 trains both orders over five seeds.

## Summary · 小结

1. Attention reaches every token in one step; a gradient through an LSTM fades with distance. · 注意力一步可达任意词元；LSTM 中的梯度随距离消失。
2. Feed-forward works on each token alone and holds two thirds of an encoder layer. · 前馈层逐词元计算，占编码器层参数的三分之二。
3. Layer norm looks at one token only, batch norm at the whole batch. · 层归一化只看一个词元，批归一化看整个批次。
4. The residual path carries signal and gradient through any depth; a norm on it weakens it. · 残差通路让信号和梯度穿过任意深度，置于其上的归一化会削弱它。
5. The decoder hides the future and looks back at the source by cross-attention. · 解码器遮住未来，并用交叉注意力回看源序列。

**Your prediction**: those that write English are harder than those that write digits: English is longest and least regular. (Which of the six is hardest differs from seed to seed.)

**Recall**

<details><summary>1. From which side do the keys of cross-attention come?</summary>

From the encoder's result, as do the values. Only the queries are the decoder's.

</details>
<details><summary>2. Why does a decoder need a mask while it is trained, and hardly while it writes?</summary>

In training all positions are computed at once, and the right answer stands at the next one. While it writes, the future does not exist yet.

</details>
<details><summary>3. Which norm gives another result when another text joins the batch?</summary>

Batch norm. Layer norm looks at one token at a time.

</details>
<details><summary>4. Where does the norm stand in Qwen, and what does that spare?</summary>

Before each part, off the residual path: the gradient passes 32 layers without being scaled.

</details>
<details><summary>5. What did Qwen keep of the model of 2017?</summary>

The decoder, without cross-attention: masked attention, feed-forward, residual paths, norms. Lesson 04 shows what changed inside them.

</details>
"""
