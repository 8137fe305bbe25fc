# %% [markdown]
r"""
# 00 · Start here · 从这里开始

**What does a language model look at when it reads, and where in this course do you begin?** · **语言模型阅读时在看什么？你该从哪一课开始？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), Figure 1 and Table 1: the family that this course is about |
| You will have done | looked into a trained model, read shapes, solved one exercise with `check` and `hint`, chosen a way through the course |
| Time | about 45 minutes to learn, {{seconds}} seconds to run |
| Needs | Python, and a little PyTorch: what a tensor is |
| Exercises | 0.1 how many numbers a broadcast makes · 0.2 masked_mean |

A notebook is made of cells. **Shift + Enter** runs the one you are in and goes to the next; *Run → Run All Cells* runs them all. Nothing here can break: change what you like and run it again.
"""

# %% tags=["setup"]
import matplotlib.pyplot as plt
import torch
from torch.testing import assert_close

import minqwen
from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.model import Qwen, QwenConfig, attention, generate, loss, mlp, training
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
## 0.0 Look first

This is the model that you will take apart: a Qwen of 4.2 million parameters that has read Shakespeare, Milton and the poems of the Tang. It reads **tokens**, pieces of words. When it reads one, each of its 36 **heads** (6 layers of 6) looks back at the tokens before it.

**Type a sentence of your own**, press Enter, then choose a layer, a head and a token. Chinese works too: 床前明月光，疑是地上霜。
"""

# %% id="inspector"
w = show.inspector(model, tokenizer, "To be, or not to be, that is the question", layer=3, head=0)
w

# %% [markdown]
r"""
**What you should see**: each row is a token that looks, each column a token that is looked at; the lighter, the more. Above the diagonal all is dark: nobody looks into the future. The bars on the right are the framed row, and every row adds up to 1:
"""

# %% id="inspector-rows-add-up"
assert w.maps.shape[:2] == (6, 6) and round(model.config.n_parameters / 1e6, 1) == 4.2
assert_close(w.maps.sum(dim=-1), torch.ones(w.maps.shape[:-1]), atol=1e-5, rtol=0)
assert w.maps.triu(1).eq(0).all(), "a token looked into the future"
show.shapes(maps=w.maps, weights=w.weights)

# %% [markdown]
r"""
How the numbers come about is lesson 01. `show.shapes` says how large things are: `maps` holds a square for each layer and head.

**Predict**, before any code: *`a` has shape (2, 5). Which of these can be added to it: a tensor of shape (5,), one of shape (2,), both?* Write your guess down; section 0.3 answers, the summary asks again.

## 0.1 Where should you start?

Ten questions. Answer in your head, then unfold. **1 to 3 all right: skip lesson 01. 4 and 5: skip lesson 02. 6 to 8: skip lesson 04. 9 and 10: try the exercises of lessons 06 and 10 first.** None: begin here, everything is explained.

<details><summary>1. Why are attention scores divided by √D?</summary>

A score is a sum of D products, so its variance grows with D; large scores make the softmax pick one key, and its gradient dies. [Lesson 01](01_attention.ipynb), section 1.2.

</details>
<details><summary>2. Must a mask act before or after the softmax, and why?</summary>

Before, as −∞: after it, the hidden keys would have taken their share already. [Lesson 01](01_attention.ipynb), section 1.3.

</details>
<details><summary>3. What changes in the output of attention without a mask when the tokens are shuffled?</summary>

Only the order of the outputs: attention sees a set. [Lesson 01](01_attention.ipynb), section 1.4.

</details>
<details><summary>4. RoPE turns queries and keys. What does a score then know about their positions?</summary>

Only their distance, m − n. [Lesson 02](02_positions.ipynb), section 2.4.

</details>
<details><summary>5. Which pairs of channels turn slowly in RoPE, and what does a larger base do?</summary>

The last ones; a larger base slows them further. [Lesson 02](02_positions.ipynb), section 2.4.

</details>
<details><summary>6. What does LayerNorm remove that RMSNorm leaves?</summary>

The mean of the channels. [Lesson 04](04_qwen_block.ipynb), section 4.10.

</details>
<details><summary>7. Why is the MLP of Qwen 8/3 as wide as the model, and not 4 times?</summary>

It has three matrices instead of two, and at 8/3 they cost the same. [Lesson 04](04_qwen_block.ipynb), section 4.3.

</details>
<details><summary>8. Eight key-value heads for 32 query heads: what is saved?</summary>

Three quarters of the memory for keys and values while writing. [Lesson 04](04_qwen_block.ipynb), section 4.4.

</details>
<details><summary>9. How many tokens are the digits of 2309.16609 for Qwen, and why?</summary>

Nine, one for each digit: numbers are split before pairs are joined. [Lesson 06](06_tokenizer.ipynb), section 6.1.

</details>
<details><summary>10. Why does fine-tuning on conversations hide what the user said from the loss?</summary>

The model shall learn to answer, not to ask. [Lesson 10](10_sft.ipynb), section 10.3.

</details>

## 0.2 Shapes

**Why.** Most mistakes in a model are mistakes of shape, and the worst raise no error. So this course names every axis by a letter, the same everywhere:
"""

# %% id="legend"
legend = minqwen.__doc__.split("\n\n")[2]
print(legend)
assert all(f"  {letter}  " in legend for letter in "BTSHDCVFR")

# %% [markdown]
r"""
Five Chinese characters on their way through the model. B = 1 sentence becomes T token numbers, each token a vector of C = 192 channels, and at the end of the way a score for each of the V = 4,096 tokens that could come next.
"""

# %% id="shapes-of-the-model"
ids = torch.tensor([tokenizer.encode("床前明月光")])
with torch.no_grad():
    x, logits = model.model.embed_tokens(ids), model(ids)
show.shapes(ids=ids, x=x, logits=logits)

# %%
B, T = ids.shape
assert x.shape == (B, T, model.config.d_model)
assert logits.shape == (B, T, model.config.vocab_size)
said = show.next_tokens(logits[0, -1], tokenizer)
print("its tokens:", [tokenizer.token_text(i) for i in ids[0].tolist()])

# %% [markdown]
r"""
Compare T with the five characters: a frequent pair is one token, a rare character several. [Lesson 06](06_tokenizer.ipynb) shows how tokens are found.

## 0.3 Ten minutes on broadcasting

**Why.** Formulas in papers run over many indices; good code has no loop for them. Three patterns are enough for this course.

**The rule.** Two shapes are laid on each other from the right. Where sizes are equal, they stay; where one is 1 or missing, it is repeated; anything else is an error.
"""

# %% id="broadcasting-rule"
a = torch.arange(10.0).view(2, 5)
assert (a + torch.ones(5)).shape == (2, 5), "5 meets 5"
assert (a + torch.ones(2, 1)).shape == (2, 5), "1 meets 5, 2 meets 2"
assert (torch.ones(2, 1) + torch.ones(5)).shape == (2, 5), "a column and a row make a table"

# %% [markdown]
r"""
And where they do not fit? Read what torch says: 5 and 2 meet, and neither is 1.
"""

# %% id="broadcasting-error"
try:
    a + torch.ones(2)
    raise AssertionError("this must not fit")
except RuntimeError as error:
    print(error)

# %% [markdown]
r"""
**Pattern 1: a column against a row makes every pair.** `[:, None]` adds an axis of size 1. How far back does key position $s$ lie from query position $t$?

$$\text{distance}_{ts} = t - s,\qquad t\text{: (T, 1)},\ s\text{: (S)},\ \text{distance: (T, S)}$$
"""

# %% id="outer-sum"
t, s = torch.arange(5), torch.arange(7)
distance = t[:, None] - s
show.shapes(column=t[:, None], row=s, distance=distance)
assert distance.tolist() == [[i - j for j in range(7)] for i in range(5)]

# %%
show.heatmap(
    distance,
    title="A column against a row: the distance of every query to every key",
    x="key position S",
    y="query position T",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: zeros on the diagonal; the past is positive, the future negative. The mask that kept the heads above from looking ahead is one comparison more:
"""

# %% id="causal-mask-in-one-line"
assert (distance[:, :5] >= 0).equal(attention.causal_mask(T=5, S=5))

# %% [markdown]
r"""
**Pattern 2: one matrix for every token.** A layer turns the C channels of each token into F others. Written as `x @ w` with $x$: (B, T, C) and $w$: (C, F), the last axis of $x$ meets the first of $w$ and disappears; all axes before it are carried along:

$$\text{out}_{btf} = \sum_c x_{btc}\,w_{cf},\qquad \text{out: (B, T, F)}$$

From here on every size is another prime number, so that a shape tells which axis is which.
"""

# %% id="matrix-for-every-token"
generator = torch.Generator().manual_seed(0)
B, T, C, F = 2, 5, 7, 3
x, w_in = torch.randn(B, T, C, generator=generator), torch.randn(C, F, generator=generator)
out = x @ w_in
show.shapes(x=x, w_in=w_in, out=out)

# %%
for b in range(B):
    for t in range(T):
        assert_close(out[b, t], sum(x[b, t, c] * w_in[c] for c in range(C)))

# %% [markdown]
r"""
**Pattern 3: a mean over the tokens that count.** Sentences differ in length; the short ones are filled up. A mask says which tokens are real. It has no axis for channels, so it gets one of size 1:
"""

# %% id="masked-mean-of-vectors"
is_token = torch.tensor([[True, True, False, False, False], [True, True, True, True, True]])
weights = is_token[..., None]
means = (x * weights).sum(dim=1) / weights.sum(dim=1)
show.shapes(x=x, is_token=is_token, weights=weights, means=means)

# %%
assert_close(means[0], (x[0, 0] + x[0, 1]) / 2)
assert_close(means[1], x[1].mean(dim=0))
assert not means[0].allclose(x[0].mean(dim=0)), "the plain mean counts the filling in"

# %% exercise="00_broadcast"

# %% [markdown]
r"""
## 0.4 `check` and `hint`: one exercise, solved together

Every lesson stops now and then and asks you to write a function. You write it in your own copy, in the folder `my/`, and ask `check` what it thinks. Once, here, we do it together.

**The task.** `masked_mean(values, mask)`: `values` (..., T) holds a number for each token, `mask` (..., T) is True where the token counts; the result (...) is the mean of each row over its own True tokens.

A first try, as one writes it:
"""


# %%
def masked_mean(values, mask):
    return (values * mask).mean(dim=-1)


# %% id="a-wrong-answer-is-named"
tried = check(masked_mean, seed=1)
assert not tried and "divided by T" in tried.mistake

# %% [markdown]
r"""
Read it from the top. ✓ and ✗ say which properties hold. Then comes the smallest case that fails, so small that you can work it out: the two True values of row 0 must be added and divided by 2. The last paragraph is there if your answer does just what a known mistake does. It names it: T counts the hidden tokens too.

Not enough? Hints come one at a time, from a question to a line of code:
"""

# %%
hint("masked_mean")

# %% [markdown]
r"""
So the sum is divided by the number of True in each row, and a row without any must not become 0/0:
"""


# %%
def masked_mean(values, mask):
    kept = values.where(mask, 0.0)
    return kept.sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


# %% id="the-right-answer-passes"
assert check(masked_mean, seed=1)

# %% [markdown]
r"""
`check` draws new numbers each time; `seed=1` repeats these. Now you: the same exercise waits in your copy. Write it without looking, then come back and **use** it: inside `with using(masked_mean):` the library runs on your function.
"""

# %% exercise="masked_mean"
text = torch.tensor([tokenizer.encode("To be, or not to be")])
filled = torch.cat([text, torch.zeros(1, 5, dtype=torch.long)], dim=-1)
counts = torch.arange(filled.shape[-1])[None] < text.shape[-1]
with torch.no_grad(), using(masked_mean):
    bare = loss.next_token_loss(model(text[:, :-1]), text[:, 1:])
    masked = loss.next_token_loss(model(filled[:, :-1]), filled[:, 1:], counts[:, 1:])
assert_close(masked, bare, atol=1e-4, rtol=0)
print(f"the model's loss, by your mean: {masked:.2f} nats a token, with or without the filling")

# %% [markdown]
r"""
**The ladder.** Loops, torch and the library say the same. Every lesson ends its main idea so.
"""


# %%
def masked_mean_by_loops(values, mask):
    kept = [[v for v, keep in zip(*row) if keep] for row in zip(values.tolist(), mask.tolist())]
    return torch.tensor([sum(row) / len(row) for row in kept])


# %% id="masked-mean-ladder"
values = x[..., 0]
nothing_hidden = values.masked_fill(~is_token, float("nan"))
rungs = {
    "loops": masked_mean_by_loops(values, is_token),
    "torch.nanmean": nothing_hidden.nanmean(dim=-1),
    "minqwen": loss.masked_mean(values, is_token),
}
for name, out in rungs.items():
    print(f"{name:14} largest difference from the loops: {(out - rungs['loops']).abs().max():.0e}")
    assert_close(out, rungs["loops"])

# %% [markdown]
r"""
## 0.5 The map

Seventeen lessons follow the report from its data to its tools. They are read off the course's first page here, with the minutes that each takes.
"""

# %% id="course-map"
root = assets.TINY_QWEN.parents[2]
lessons = show.lessons((root / "README.md").read_text("utf-8"))
show.course_map(lessons)
plt.show()

# %% [markdown]
r"""
**What you should see**: three lines downwards, each with the stops of the one on its left and more.

* **One evening** (00, 01, 02): how attention and positions work.
* **A weekend** (and 04, 07, 10, 14): a whole Qwen block, its data, instructions, and fine-tuning on a small machine.
* **All**: from the first mask to a model that follows instructions, is judged, and calls tools.
"""

# %% id="map-is-honest"
assert [lesson.stem for lesson in lessons] == sorted(path.stem for path in (root / "notebooks").glob("[0-9]*.ipynb"))
ways = {"one evening": (0, 1, 2), "a weekend": (0, 1, 2, 4, 7, 10, 14), "all": range(len(lessons))}
for name, stops in ways.items():
    print(f"{name}: {sum(lessons[i].minutes for i in stops) / 60:.0f} hours")

# %% [markdown]
r"""
## 0.6 The family

The report is about more than one model. Everything begins with a base model, which only continues text; the others start from its weights.
"""

# %% id="lineage"
show.lineage()
plt.show()

# %% [markdown]
r"""
**What you should see**: one root. Five models start from it, four more from those. A reward model (RM), first trained on many rough preferences (PMP), judges what the chat model writes while it is trained by reinforcement (RLHF). This course builds a small one of each, except those for images (VL).

The numbers, with the section of the report that gives them. Where it gives none, the table says so.
"""

# %% id="family-table"
show.family_table()

# %% id="one-root"
roots = [each.name for each in show.FAMILY if not each.base]
starts_from_qwen = [each.name for each in show.FAMILY if each.base == "Qwen"]
assert roots == ["Qwen"] and len(starts_from_qwen) == 5 and len(show.FAMILY) == 10

# %% [markdown]
r"""
The base model comes in three sizes (Table 1; the vocabulary sizes are those of the published files). Lesson 04 derives the formula that counts the parameters; `QwenConfig` knows it.
"""

# %% id="table-1-sizes"
table_1 = {"1.8B": (2048, 16, 24, 151_936), "7B": (4096, 32, 32, 151_936), "14B": (5120, 40, 40, 152_064)}
sizes = {
    name: QwenConfig(V, C, layers, heads, heads, mlp.ffn_width(C), max_length=2048)
    for name, (C, heads, layers, V) in table_1.items()
}
assert {config.d_head for config in sizes.values()} == {128}, "every head is 128 wide, in all sizes"
assert sizes["7B"].n_parameters == 7_721_324_544

# %% id="table-1"
columns = ("size", "width C", "heads H", "layers", "MLP width F", "vocabulary V", "parameters")
show.table(
    columns,
    [
        (name, *(f"{n:,}" for n in (c.d_model, c.n_heads, c.n_layers, c.d_ff, c.vocab_size, c.n_parameters)))
        for name, c in {**sizes, "ours": model.config}.items()
    ],
)

# %% [markdown]
r"""
## 0.7 Words · 词汇

Every word is explained where it is first needed; this is the place to look one up.

| English | 中文 | in one sentence | lesson |
| --- | --- | --- | --- |
| token | 词元 | the piece of text that a model reads and writes: a word, a part of one, a byte | 06 |
| tokenizer | 分词器 | cuts text into tokens and joins them again | 06 |
| vocabulary | 词表 | all tokens that a model knows, numbered from 0 | 06 |
| byte-pair encoding (BPE) | 字节对编码 | makes tokens by joining the most frequent neighbours, again and again | 06 |
| embedding | 嵌入 | the vector that stands for a token when it enters the model | 04 |
| channel | 通道 | one of the C numbers that describe a token | 00 |
| logits | 未归一化得分 | the scores of all tokens before the softmax makes them shares | 05 |
| softmax | softmax 归一化 | eˣ of each score, divided by the sum of all | 01 |
| attention | 注意力 | each token averages what earlier tokens say, by shares that it computes | 01 |
| query, key, value | 查询、键、值 | what a token looks for, what it offers, what it says if asked | 01 |
| head | 注意力头 | one attention of its own, on its own slice of the channels | 01 |
| mask | 掩码 | says what may be looked at, or what counts; True means yes | 01 |
| causal mask | 因果掩码 | lets each token see itself and its past | 01 |
| padding | 填充 | filling that makes the texts of a batch equally long | 01 |
| position encoding | 位置编码 | tells attention, which sees a set, the order of tokens | 02 |
| RoPE | 旋转位置编码 | turns queries and keys by angles that grow with the position | 02 |
| residual stream | 残差流 | the vector of a token, to which every layer adds | 04 |
| RMSNorm | 均方根归一化 | divides a vector by the root of its mean square | 04 |
| MLP, feed-forward layer | 前馈网络 | the part of a layer that treats each token by itself | 04 |
| gate (SwiGLU) | 门控 | numbers that decide how much of other numbers passes | 04 |
| bias | 偏置 | a learned number that is added after a matrix | 04 |
| grouped-query attention | 分组查询注意力 | several query heads share one key and value head | 04 |
| parameter | 参数 | a number that training sets | 04 |
| key-value cache | 键值缓存 | keys and values of past tokens, kept so that they are computed once | 05 |
| sampling | 采样 | drawing the next token by its probability | 05 |
| inference | 推理 | using a trained model | 05 |
| deduplication | 去重 | finding texts that occur twice, or almost | 07 |
| decontamination | 去污染 | removing training text that a test contains | 07 |
| pre-training | 预训练 | learning to say the next token on much text | 08 |
| loss | 损失 | the number that training makes smaller: here, surprise at the true next token | 08 |
| cross-entropy | 交叉熵 | minus the mean logarithm of the probability of what came | 08 |
| perplexity | 困惑度 | e to the loss: among how many equal choices the model seems to guess | 08 |
| bits per byte | 每字节比特数 | the loss in bits, divided by bytes, so that tokenizers can be compared | 08 |
| gradient | 梯度 | in which direction, and how fast, the loss grows with each parameter | 08 |
| learning rate, warm-up | 学习率、预热 | how far a step goes; small steps first | 08 |
| batch | 批 | the texts of one step | 00 |
| context length | 上下文长度 | how many tokens a model reads at most | 09 |
| supervised fine-tuning (SFT) | 监督微调 | training on questions with good answers | 10 |
| ChatML | 对话标记格式 | marks who speaks, by tokens that no user can type | 10 |
| reward model | 奖励模型 | scores an answer as people would | 11 |
| policy | 策略 | a model that acts: it gives each action, or token, a probability | 12 |
| advantage | 优势 | how much better an action was than a critic expected | 12 |
| PPO | 近端策略优化 | improves a policy by small, clipped steps towards reward | 12 |
| RLHF | 基于人类反馈的强化学习 | training an answering model by such a reward | 13 |
| KL divergence | KL 散度 | how far two distributions lie apart, in nats | 12 |
| LoRA | 低秩适配 | training two thin matrices beside a frozen one | 14 |
| quantization | 量化 | storing numbers in few bits | 14 |
| tool use | 工具调用 | the model writes a call, a program runs it and shows the result | 15 |

## 0.8 Put right

> "A 7B model has seven billion parameters."

Names are rounded, and not always to the nearest. Almost three quarters of a billion are missing from that one:
"""

# %% id="names-are-rounded"
missing = sizes["7B"].n_parameters - 7e9
print(f"{missing / 1e9:.2f} billion parameters more than the name says, {missing / 7e9:.0%}")
assert 0.7e9 < missing < 0.75e9
assert round(sizes["7B"].n_parameters / 1e9) == 8, "to the nearest billion it would be called 8B"

# %% [markdown]
r"""
## 0.9 Not shown at this size

* Our model has read poems and plays and nothing else, 29 million tokens; Qwen-7B 2.4 trillion tokens of everything. Ours continues verse; it knows no facts and follows no instructions yet.
* Which claims of the report this course shows, and which it cannot, is written down row by row in [claims.toml](src/claims.toml).

How ours continues two beginnings, and how many bits it needs for a byte of works that it has not read (a byte holds 8, and a model that knows nothing needs about 4):
"""

# %% id="what-ours-writes"
*_, last = training.run.read_log(assets.RUNS / "tiny-qwen.jsonl")
for code, start in {"en": "ROMEO.\n", "zh": "《秋夜》李白\n"}.items():
    ids = torch.tensor([tokenizer.encode(f"<|endoftext|>{start}", allow_control=True)])
    written = generate.generate(model, ids, 48, top_p=0.8, generator=torch.Generator().manual_seed(2))
    print(f"{last['final_bits_per_byte'][code]:.2f} bits a byte:\n{tokenizer.decode(written[0, 1:].tolist())}\n")
assert all(bits < 2.5 for bits in last["final_bits_per_byte"].values())

# %% [markdown]
r"""
## Summary · 小结

1. A head gives each token shares of the tokens before it; they add up to 1. · 每个注意力头为每个词元分配对之前词元的份额，总和为 1。
2. Shapes are laid on each other from the right; 1 is repeated. · 形状从右对齐，大小为 1 的轴会被复制。
3. `x @ w` treats every token alike; `[:, None]` makes every pair. · `x @ w` 对每个词元做同样的变换；`[:, None]` 得到所有配对。
4. `check` shows the smallest case that fails and names known mistakes; `hint` helps in four steps. · `check` 给出最小的反例并指出常见错误；`hint` 分四步提示。
5. All models of the report start from one base model. · 报告中的所有模型都源自同一个基座模型。

**Your prediction**: only (5,) can be added to (2, 5), since 5 meets 5. For a (2,) say that it is a column: `[:, None]`.

**Recall**

<details><summary>1. What is the shape of (2, 5, 7) @ (7, 3)?</summary>

(2, 5, 3): the sevens meet and disappear.

</details>
<details><summary>2. What is the shape of (5, 1) + (7,)?</summary>

(5, 7), every pair.

</details>
<details><summary>3. A mask is (B, T), a tensor (B, T, C). How do they meet?</summary>

`mask[..., None]` is (B, T, 1), and the 1 is repeated for every channel.

</details>
<details><summary>4. Why is a masked mean not divided by T?</summary>

T counts the hidden tokens too, so short texts would look easier than they are.

</details>
<details><summary>5. From which model does Code-Qwen start, and with what context is it trained?</summary>

From the base model, with 8,192 tokens instead of 2,048.

</details>

**Next**: [lesson 01, attention](01_attention.ipynb).
"""
