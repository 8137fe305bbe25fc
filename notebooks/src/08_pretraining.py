# %% [markdown]
r"""
# 08 · Pre-training · 预训练

**How does a model learn language from nothing but the next token, and what does it cost?** · **模型怎样仅凭预测下一个词元学会语言？代价是多少？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), sections 2.4, 2.6, 4 and 5; Loshchilov and Hutter 2017 ([arXiv:1711.05101](https://arxiv.org/abs/1711.05101), [arXiv:1608.03983](https://arxiv.org/abs/1608.03983)); Kaplan et al. 2020 ([arXiv:2001.08361](https://arxiv.org/abs/2001.08361)) |
| You will have built | the loss, the schedule, packed windows, a run that survives `kill -9`; counted operations; marked a base model |
| Time | about 100 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 01, 02, 04 and 06 |
| Exercises | 8.1 next_token_loss · 8.2 a bug · 8.3 cosine_schedule · 8.4 pack · 8.5 operations · 8.6 a bug · 8.7 bits per byte |
"""

# %% tags=["setup"]
import math
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.check import check, hint, using
from minqwen.data import corpus, exercises
from minqwen.model import Qwen, QwenConfig, choice, generate, loss, schedule, training
from minqwen.model.training import __main__ as command
from minqwen.tokenizer import Tokenizer

model = Qwen.from_pretrained(assets.TINY_QWEN)
tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)

# %% [markdown]
r"""
## 8.0 Look first

The shipped model was pre-trained as this lesson shows, and its whole run is in a log:
"""

# %% id="the-shipped-run"
log = training.run.read_log(assets.RUNS / "tiny-qwen.jsonl")
about = log[0]
measured = [record for record in log if "bits_per_byte" in record]
hours = max(record["seconds"] for record in log) / 3600
print(
    f"{about['parameters']:,} parameters, {about['steps']:,} steps of {about['batch_size']} windows, {hours:.1f} hours"
)
show.curves(
    [record["step"] for record in measured],
    {name: [r["bits_per_byte"][code] for r in measured] for name, code in (("English", "en"), ("Chinese", "zh"))},
    title="What the shipped model has not read becomes easier to foresee",
    x="step",
    y="held-out bits per byte",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: two lines that fall steeply, then slowly.

**Predict**: a question with four options. How many of 100 does our tiny model get right when it is asked for a letter, as the report asks? And when it is asked which option is likeliest? Section 8.10 answers.

## 8.1 The objective: say the next token

**Why.** Nobody has to label anything: every text says at each position what comes next. The loss is the mean surprise at it, in nats:

$$L=-\frac1n\sum_{b,t}\log\,\text{softmax}(\text{logits}_{b,t})_{\text{targets}_{b,t}},\qquad \text{logits}: (B, T, V),\ \text{targets}: (B, T)$$

By eye: logits 0, 0 and 2 for three tokens, and the third one came. Its probability is $e^2/(2+e^2)=0.787$; the surprise is $-\log 0.787=0.24$.
"""

# %%
logits, targets = torch.tensor([[[0.0, 0.0, 2.0]]]), torch.tensor([[2]])
surprise = loss.next_token_loss(logits, targets)
print(f"{surprise.item():.4f} nats")
assert_close(surprise, torch.tensor(math.log(2 + math.e**2) - 2))


# %%
def loss_by_loops(logits, targets):
    surprises = []
    for scores, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist()):
        total = sum(math.exp(score) for score in scores)
        surprises.append(-math.log(math.exp(scores[target]) / total))
    return sum(surprises) / len(surprises)


# %% id="next-token-oracles"
B, T, V = 2, 5, 11
generator = torch.Generator().manual_seed(0)
logits = torch.randn(B, T, V, generator=generator, dtype=torch.float64)
targets = torch.randint(0, V, (B, T), generator=generator)
ours = loss.next_token_loss(logits, targets)
show.shapes(logits=logits, targets=targets, ours=ours)
assert_close(ours.item(), loss_by_loops(logits, targets))
assert_close(ours, F.cross_entropy(logits.flatten(0, 1), targets.flatten()))

# %% [markdown]
r"""
**The ladder.**

| rung | where it is checked |
| --- | --- |
| loops = torch = minqwen, for the loss | above |
| AdamW by its formula; the cosine by its values | `tests/model/test_training.py`; section 8.2 |
| one batch = the same in parts; an interrupted run = an unbroken one | sections 8.3 and 8.7; `tests/model/test_run.py`, with `kill -9` |
| two processes = one | `tests/model/test_parallel.py` |

A model that knows nothing gives all V tokens the same probability, so its loss is $\log V$. With random weights it is near that:
"""

# %% id="loss-of-knowing-nothing"
ids = torch.tensor([tokenizer.encode("To be, or not to be, that is the question")])
blank = Qwen(QwenConfig(), torch.Generator().manual_seed(0))
with torch.no_grad():
    before, after = (training.batch_loss(m, ids).item() for m in (blank, model))
print(f"log {tokenizer.vocab_size} = {math.log(tokenizer.vocab_size):.2f}; untrained {before:.2f}, trained {after:.2f}")
assert abs(before - math.log(tokenizer.vocab_size)) < 0.3 and after < before - 2

# %% exercise="next_token_loss"
verse = torch.tensor([tokenizer.encode("To be, or not to be, that is the question")])
with torch.no_grad(), using(next_token_loss):
    print(f"the shipped model, marked by your loss: {training.batch_loss(model, verse).item():.3f} nats a token")

# %% [markdown]
r"""
**Break it once.** The classic mistake is to forget the shift. Its loss looks wonderful:
"""

# %% exercise="08_label_shift"

# %% [markdown]
r"""
## 8.2 AdamW and a rate that rises and falls

**Why.** At the start gradients are large and the moments of AdamW are unknown, so the rate warms up; at the end small steps settle what large ones left open. The report's settings, held against what our loop uses:
"""

# %% id="adamw-settings"
settings = training.adamw(model).defaults
assert settings["betas"] == (0.9, 0.95) and settings["eps"] == 1e-8
decayed, kept = training.adamw(model).param_groups
assert decayed["weight_decay"] == 0.1 and kept["weight_decay"] == 0.0
assert all(p.ndim == 2 for p in decayed["params"]) and all(p.ndim == 1 for p in kept["params"])

# %% [markdown]
r"""
β, ε and the cosine to a tenth are in section 2.4; decay 0.1, clipping at 1 and 2,000 steps of warm-up stand only in the memo that came with Qwen-7B. The rate at step $s$, with $d=(s-w)/(S-w)$ after the warm-up of $w$ steps:

$$\text{rate}=\text{floor}+(\text{peak}-\text{floor})\,\frac{1+\cos(\pi d)}2,\qquad \text{floor}=0.1\cdot\text{peak}$$
"""

# %% id="cosine-to-a-tenth"
at = range(0, 1000)
rates = [schedule.cosine_schedule(step, warmup=50, total=1000, peak=3e-4) for step in at]
assert_close(max(rates), 3e-4)
assert_close(schedule.cosine_schedule(1000, 50, 1000, 3e-4), 3e-5)
assert_close(schedule.cosine_schedule(525, 50, 1000, 3e-4), (3e-4 + 3e-5) / 2)  # half-way
show.curves(at, {"rate": [1e4 * r for r in rates]}, "Up quickly, down to a tenth", "step", "rate in units of 10⁻⁴")
plt.show()

# %% [markdown]
r"""
**What you should see**: a steep edge, a flat top, a slope, and a flat end at 0.3.
"""

# %% exercise="cosine_schedule"
with using(cosine_schedule):
    tiny = Qwen(QwenConfig(n_layers=1), torch.Generator().manual_seed(0))
    rates = [step.learning_rate for step in training.train(tiny, [ids] * 6, steps=6, peak=1.0, warmup=3)]
print("rates of a run on your schedule:", [round(rate, 3) for rate in rates])

# %% [markdown]
r"""
## 8.3 Packing: no gaps

**Why.** Poems are short. In a batch of one document a row, padded to the longest, most positions would be computed for nothing. The report shuffles the documents, joins them with `<|endoftext|>` between, and cuts the row to the context length:
"""

# %% id="packing-by-eye"
windows = training.pack([[1, 2, 3], [4, 5], [6]], separator=0, length=4)
print(windows)
assert windows.tolist() == [[0, 1, 2, 3], [0, 4, 5, 0]]  # 6 fills no window

# %% id="padding-wastes"
separator = tokenizer.encode("<|endoftext|>", allow_control=True)[0]
documents = [tokenizer.encode(document.text) for document in corpus.load("held_out")]
sizes = torch.tensor([min(len(document), 256) for document in documents])
rows = sizes[torch.randperm(len(sizes), generator=generator)][: len(sizes) // 8 * 8].view(-1, 8)
wasted = 1 - rows.sum() / (rows.max(dim=1).values * 8).sum()
windows = training.pack(documents, separator, 257)
lost = 1 - windows.numel() / sum(len(document) + 1 for document in documents)
show.shapes(windows=windows)
print(f"padded batches of 8: {wasted:.0%} of all positions hold nothing; packed: {lost:.2%} of the tokens are lost")
assert lost < 0.01 < wasted

# %% exercise="pack"
poems = [tokenizer.encode(document.text) for document in corpus.load("held_out", "zh")]
assert pack(poems, 0, 257).equal(training.pack(poems, 0, 257))
print("Yours packs the held-out poems as the library does.")

# %% [markdown]
r"""
A window may hold the end of one poem and the beginning of another, and attention sees both. The report's description says nothing of a mask between them; we use none.

**Large batches in parts.** The report's batch is 4 million tokens, far more than fit into memory at once. The mean over the batch is the sum of the parts' means, each times its share; so gradients can be added up part by part:
"""

# %% id="accumulation-is-exact"
whole, parts = (Qwen(QwenConfig(n_layers=1), torch.Generator().manual_seed(0)).double() for _ in range(2))
training.loop.accumulate(whole, windows[:6], parts=1, bfloat16=False)
training.loop.accumulate(parts, windows[:6], parts=3, bfloat16=False)
for ours, theirs in zip(parts.parameters(), whole.parameters()):
    assert_close(ours.grad, theirs.grad)

# %% [markdown]
r"""
## 8.4 Three sizes

Table 1 of the report, with the parameters by lesson 04's formula. Only width, heads and depth differ:
"""

# %% id="table-1"
QWEN = {"vocab_size": 151_936, "max_length": 2048}
sizes = {
    "1.8B": QwenConfig(**QWEN, d_model=2048, n_heads=16, n_kv_heads=16, n_layers=24, d_ff=5504),
    "7B": QwenConfig(**QWEN, d_model=4096, n_heads=32, n_kv_heads=32, n_layers=32, d_ff=11_008),
    "14B": QwenConfig(
        **QWEN | {"vocab_size": 152_064}, d_model=5120, n_heads=40, n_kv_heads=40, n_layers=40, d_ff=13_696
    ),
    "ours": model.config,
}
tokens = {"1.8B": 2.2e12, "7B": 2.4e12, "14B": 3.0e12, "ours": about["steps"] * about["batch_size"] * 256}
assert sizes["7B"].n_parameters == 7_721_324_544
show.table(
    ["model", "width", "heads", "layers", "parameters", "peak rate", "batch, tokens", "tokens", "tokens a parameter"],
    [
        [name, str(c.d_model), str(c.n_heads), str(c.n_layers), f"{c.n_parameters:,}"]
        + (["3·10⁻⁴", "4 M"] if name != "ours" else [f"{about['peak']:g}", f"{about['batch_size'] * 256:,}"])
        + [f"{tokens[name]:.3g}", f"{tokens[name] / c.n_parameters:.0f}"]
        for name, c in sizes.items()
    ],
)

# %% [markdown]
r"""
## 8.5 What it costs

**Why.** A weight costs each token one multiplication and one addition forward, and twice that backward: $6N$ operations a token, with N the parameters in products (the embedding is only looked up). Attention adds $12\,\text{layers}\cdot C\cdot T/2$ a token, as half of the scores are masked.
"""

# %% exercise="08_flops"

# %% [markdown]
r"""
**How much of this machine do we use?** The peak is measured by one large product, in float32 on one thread; then some steps of training at our size:
"""


# %% id="share-of-peak"
def operations_per_token(config, T):
    in_products = config.n_parameters - config.vocab_size * config.d_model
    return 6 * in_products + 6 * config.n_layers * config.d_model * T


def seconds(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


threads = torch.get_num_threads()
torch.set_num_threads(1)
square = torch.randn(1024, 1024, generator=generator)
peak = 2 * 1024**3 / min(seconds(lambda: square @ square) for _ in range(8))
trained = Qwen(QwenConfig(), torch.Generator().manual_seed(0))
speed = max(step.tokens_per_second for step in training.train(trained, [windows[:8]] * 5, 5, 1e-3, 1))
torch.set_num_threads(threads)
used = speed * operations_per_token(model.config, 256)
print(f"{operations_per_token(model.config, 256) / 1e6:.1f} million operations a token, {speed:,.0f} tokens a second")
print(f"{used / 1e9:.0f} of {peak / 1e9:.0f} billion operations a second: {used / peak:.0%} of the peak")
assert 0.02 < used / peak < 1.2

# %% id="cost-of-the-shipped-run"
ours = tokens["ours"] * operations_per_token(model.config, 256)
theirs = tokens["7B"] * operations_per_token(sizes["7B"], 2048)
print(f"ours {ours:.1e}, Qwen-7B {theirs:.1e} operations: {theirs / ours:,.0f} times as many")
print(f"at this speed, Qwen-7B would take this machine {theirs / used / 3600 / 24 / 365:,.0f} years")

# %% [markdown]
r"""
**BFloat16.** The report trains in bfloat16 mixed precision: products in 16 bits, weights, moments and sums in 32. It keeps float32's exponent, so nothing overflows that did not before; it has 8 bits for digits, so a product is off by up to half a percent:
"""

# %% id="bfloat16-mixed-precision"
with torch.no_grad():
    exact, mixed = (training.batch_loss(model, windows[:2], bfloat16=on).item() for on in (False, True))
print(f"float32 {exact:.4f}, bfloat16 products {mixed:.4f} nats a token")
assert 0 < abs(mixed - exact) < 0.01 * exact
assert torch.tensor(1e38).bfloat16().isfinite() and torch.tensor(1e38).half().isinf()

# %% [markdown]
r"""
Whether it is faster depends on the processor: with matrix instructions for it (AMX) yes, without them it is far slower. Ours:
"""

# %%
print("matrix instructions for bfloat16:", training.multiplies_bfloat16(), "· the shipped run:", about["precision"])

# %% [markdown]
r"""
## 8.6 Live: half a minute of pre-training

A small Qwen (1.2 million parameters, context 64) on the training texts. The plot grows while it trains. Stated in advance: it must come below **6.6 nats** a token, from 8.3.
"""

# %% id="live-run"
small = QwenConfig(d_model=96, n_layers=4, n_heads=3, n_kv_heads=3, d_ff=256, max_length=64)
texts = corpus.load("train")[::12]
order = torch.randperm(len(texts), generator=generator).tolist()
reading = training.pack([tokenizer.encode(texts[i].text) for i in order], separator, small.max_length + 1)
young = Qwen(small, torch.Generator().manual_seed(0))
batches = training.shuffled_batches(reading, 8, torch.Generator().manual_seed(0))
steps = training.train(young, batches, steps=300, peak=5e-3, warmup=30)
losses = [step.loss for step in show.live(steps, title="The loss of a small Qwen falls from log V")]
plt.show()

# %% id="live-loss-below"
first, last = losses[0], sum(losses[-20:]) / 20
print(
    f"{first:.2f} nats at the start, {last:.2f} over the last 20 steps, {len(reading):,} windows, less than one epoch"
)
assert abs(first - math.log(tokenizer.vocab_size)) < 0.3 and last < 6.6

# %% [markdown]
r"""
**What you should see**: a fall from 8.3, steep at first (how frequent each token is), then slow (which token follows which).

What has it learned? A few words, hardly any grammar. The shipped model, after hours:
"""

# %%
for name, who in (("300 steps", young), (f"{about['steps']:,} steps", model)):
    prompt = torch.tensor([[separator, *tokenizer.encode("KING.\nMy lord,")]])
    written = generate.generate(who, prompt, 24, temperature=0.7, generator=torch.Generator().manual_seed(1))
    print(f"{name:12} {tokenizer.decode(written[0, 1:].tolist())!r}")

# %% [markdown]
r"""
## 8.7 A run that survives

**Why.** Long runs are interrupted: a power cut, a full disk, a machine that is taken away. A run that goes on must be *the same run*. Its state is: weights, two moments for each, the step (the schedule follows from it), the generator, and the place in the data. One file, written aside and renamed, so that a kill at any moment leaves the old state or the new one.
"""

# %% exercise="08_resume"

# %% id="resume-is-exact"
micro = QwenConfig(d_model=32, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=64, max_length=64)
recipe = training.Recipe(steps=12, peak=5e-3, warmup=2, batch_size=4)


def begin(folder):
    return training.Run(Qwen(micro, torch.Generator().manual_seed(0)), reading[:30], recipe, folder, save_every=3)


with tempfile.TemporaryDirectory() as folder:
    whole, stopped = Path(folder) / "whole", Path(folder) / "stopped"
    list(begin(whole))
    for step in begin(stopped):
        if step.step == 7:  # two steps after the state of step 6 was saved
            break
    again = begin(stopped)
    print(f"stopped after step 7, goes on from step {again.step}")
    list(again)
    states = [load_file(f / "state.safetensors") for f in (whole, stopped)]
assert states[0].keys() == states[1].keys()
assert all(states[0][name].equal(states[1][name]) for name in states[0]), "bit for bit"
print(f"{len(states[0])} tensors are equal to the last bit: weights, moments, generator")

# %% [markdown]
r"""
The tests do it with `kill -9`: in a step, half-way through writing the file, before and after the rename (`tests/model/test_run.py`). What a run says when it cannot go on:
"""

# %% id="runs-that-refuse"
with tempfile.TemporaryDirectory() as folder:
    run = training.Run(Qwen(micro, torch.Generator().manual_seed(0)), reading[:30], recipe, folder, save_every=3)
    try:
        for step in run:
            if step.step == 4:
                run.plain.lm_head.weight.data[0, 0] = float("nan")
    except training.NotANumberError as error:
        said = str(error).replace(folder, "folder")
        print(said)
assert "at step 5" in said and "last good state is that of step 3" in said

# %%
for wrong in ({"peak": 0.0}, {"warmup": 12}, {"batch_size": 5, "parts": 2}):
    try:
        training.Recipe(**{**vars(recipe), **wrong})
    except ValueError as error:
        print(error)

# %% [markdown]
r"""
**From the shell**, a run is a file that people can read: `python -m minqwen.model.training small.toml`; run it again after an interruption. On several processes, `torchrun --nproc-per-node 2 -m minqwen.model.training small.toml` (lesson 16).
"""

# %%
print(command.EXAMPLE)

# %% [markdown]
r"""
## 8.8 Bits per byte

**Why.** Nats a token depend on what a token is. Per byte of text they do not:

$$\text{bits per byte}=\frac{\text{tokens}\cdot L}{\ln 2\cdot\text{bytes}}$$
"""

# %% exercise="08_bits_per_byte"


# %%
def bits_per_byte(model, windows):
    predicted = windows[:, 1:].flatten().tolist()
    size = sum(len(tokenizer.token_bytes(i)) for i in predicted if i < separator)  # the separator is no text
    return training.nats(model, windows) / (math.log(2) * size)


# %% id="bits-per-byte-of-the-shipped-model"
[final] = [record["final_bits_per_byte"] for record in log if "final_bits_per_byte" in record]
for name, code in (("English", "en"), ("Chinese", "zh")):
    texts = [tokenizer.encode(document.text) for document in corpus.load("held_out", code)]
    held_out = training.pack(texts, separator, 257)
    part = held_out[:: max(1, len(held_out) // 16)]
    here = bits_per_byte(model, part)
    print(f"{name}: {here:.2f} on {len(part)} of {len(held_out)} windows; the log says {final[code]:.2f} on all")
    assert abs(here - final[code]) < 0.25 * final[code]

# %% [markdown]
r"""
A text file has 8 bits a byte; so the model would shrink English to about a quarter. Chinese characters take three bytes each, which makes bits per *byte* smaller than per character: compare models, not languages.

## 8.9 More mathematics, more code

Code-Qwen reads 90 billion more tokens of code, with 3 % warm-up and then a constant rate (section 4.1); Math-Qwen learns from solved problems (5.1). In small: our model reads sums, or one-line functions. First live, on sums; every fifth is held out.
"""

# %%
train_sums, test_sums = exercises.split(exercises.sums())
print(train_sums[0].text, exercises.functions()[70].text, sep="")
assert not {item.prompt for item in train_sums} & {item.prompt for item in test_sums}


# %%
def answers(model, items):
    ids = torch.tensor([[separator, *tokenizer.encode(item.prompt)] for item in items])
    written = generate.generate(model, ids, 6, temperature=0.0)[:, ids.shape[1] :].tolist()
    return [tokenizer.decode(row).split("\n")[0] for row in written]


# %% id="more-mathematics-live"
mathematician = Qwen.from_pretrained(assets.TINY_QWEN)
pages = exercises.pages(train_sums)
row = [tokenizer.encode(next(pages)) for _ in range(120)]
batches = training.shuffled_batches(training.pack(row, separator, 129), 8, torch.Generator().manual_seed(0))
steps = training.train(mathematician, batches, steps=50, peak=1e-3, warmup=2, floor_share=1.0)  # a constant rate
falling = [step.loss for step in show.live(steps, title="Sums become foreseeable, but for their digits")]
plt.show()

# %% [markdown]
r"""
**What you should see**: a loss that falls within some steps and then stays where the digits are still a riddle.
"""

# %% id="form-comes-before-content"
asked = test_sums[:60]
for name, who in (("as shipped", model), ("after 50 steps", mathematician)):
    said = answers(who, asked)
    numbers = sum(answer.strip().isdigit() for answer in said) / len(said)
    right = sum(exercises.is_right(item, answer) for item, answer in zip(asked, said)) / len(said)
    print(f"{name:15} {asked[0].prompt}{said[0]!r}; a number: {numbers:.0%}, the right one: {right:.0%}")
assert numbers > 0.8 and falling[-1] < falling[0] / 2

# %% [markdown]
r"""
Fifty steps teach the form: after "=" comes a number. That it is the right one takes longer.
"""

# %% [markdown]
r"""
Two hundred steps, over five seeds, with a control that reads 200 steps more of the same poems and plays (`make evidence NAME=specialists`):
"""


# %%
def mean_bits(run):
    return sum(run["bits_per_byte"].values()) / 2


# %% id="specialists"
more = show.read_log(assets.RUNS / "specialists.jsonl")
stop = more.steps[-1]
print(f"{more.about['command']}: {60 * more.hours:.0f} minutes on one core")
columns = {"sums": lambda run: run["sums"], "functions": lambda run: run["functions"], "bits": mean_bits}
found = {what: more.at(stop, value) for what, value in columns.items()}
before = {what: more.at(0, value)["text"] for what, value in columns.items()}


def described(values, what):
    mean = sum(values) / len(values)
    return f"{mean:.2f}" if what == "bits" else f"{mean:.0%} ({min(values):.0%} to {max(values):.0%})"


show.table(
    ["model", "held-out sums right", "held-out functions right", "bits per byte of texts"],
    [["as shipped", *(described(before[what], what) for what in columns)]]
    + [[f"+ {name}", *(described(found[what][name], what) for what in columns)] for name in more.about["variants"]],
)

# %% id="specialists-beat-the-generalist"
for skill, name in (("sums", "math"), ("functions", "code")):
    gain = show.paired_difference(found[skill][name], found[skill]["text"])
    print(f"{name} against text, {skill}: {gain.mean:+.0%} ({gain.low:+.0%} to {gain.high:+.0%})")
    seen = "specialists beat the generalist" if gain.low > 0 else "no effect seen at this size"
    print("  ", seen)
for name in ("math", "code"):
    forgotten = show.paired_difference(found["bits"][name], found["bits"]["text"])
    print(f"{name}, bits per byte of texts: {forgotten.mean:+.2f} ({forgotten.low:+.2f} to {forgotten.high:+.2f})")
    assert forgotten.low > 0, "who reads only exercises forgets poems"
assert min(found["bits"]["text"]) > max(before["bits"]), "even the control is worse than before"

# %% [markdown]
r"""
This is Tables 10 and 12 of the report in small: does a specialist beat the generalist at its own trade? The lines above say so for each, or that nothing is seen. What the report's tables do not show is the price: who reads only exercises needs more bits for poems. The report mixes text into the code that its model reads (section 4.1). Even the control gets worse: a constant rate unsettles what the end of the cosine had settled, and 200 steps do not make up for it.
"""

# %% [markdown]
r"""
## 8.10 Multiple choice without a word: Table 2 in small

MMLU and C-Eval are marked by logits: the question ends in "Answer:", and the likeliest of A, B, C and D counts. Guessing gives 25 %. Our questions: which of four lines comes next in a held-out text?
"""


# %%
def questions(n, seed=0):
    draw, made = torch.Generator().manual_seed(seed), []
    lines = [[line for line in d.text.split("\n") if 8 <= len(line) <= 60] for d in corpus.load("held_out")]
    lines = [found for found in lines if len(found) >= 3]
    for i in torch.randperm(len(lines), generator=draw)[:n].tolist():
        script = lines[i][0].isascii()
        others = [other for other in lines if other is not lines[i] and other[0].isascii() == script]
        picks = torch.randint(0, len(others), (3,), generator=draw).tolist()
        options = [lines[i][1], *(others[j][1] for j in picks)]
        place = torch.randperm(4, generator=draw).tolist()
        made.append((lines[i][0] + "\n", [options[p] for p in place], place.index(0)))
    return made


asked = questions(100)
text, options, right = asked[0]
print(text + "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", options)), "\nright:", "ABCD"[right])

# %% id="multiple-choice"
letters = [tokenizer.encode(f" {letter}")[-1] for letter in "ABCD"]
hits = {"by letter": 0, "by the whole line": 0}
for text, options, right in asked:
    prompt = text + "".join(f"{letter}. {option}\n" for letter, option in zip("ABCD", options)) + "Answer:"
    by_letter = choice.letter_scores(model, [separator, *tokenizer.encode(prompt)], letters)
    by_line = choice.option_scores(model, [separator, *tokenizer.encode(text)], [tokenizer.encode(o) for o in options])
    hits["by letter"] += by_letter.argmax().item() == right
    hits["by the whole line"] += by_line.argmax().item() == right

# %% id="against-random"
deviation = (0.25 * 0.75 / len(asked)) ** 0.5
for name, n in hits.items():
    far = (n / len(asked) - 0.25) / deviation
    said = "better than guessing" if far > 2 else "no effect seen at this size"
    print(f"{name:18} {n / len(asked):.0%} right; guessing 25 ± {deviation:.0%}; {said}")
assert hits["by the whole line"] > 28, "more than guessing"
show.bars(
    [25.0, *(100 * n / len(asked) for n in hits.values())],
    ["guessing", *hits],
    title="What a tiny model knows depends on how it is asked",
    x="percent right of 100 questions with four options",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: asked for a letter, the model does about as well as guessing: it never saw a question with four options. Asked which line is likeliest, it may do better; the printed lines say whether it does. The report's 7B model reaches 58.2 on MMLU with five worked examples in its prompt, 1.8B 44.6, LLaMA2-7B 46.8 (Table 2): with size, letters begin to mean something.
"""

# %% [markdown]
r"""
## 8.11 Clean against dirty, at equal tokens

Three small models read equally many tokens of the mini-crawl of lesson 07: as the pipeline leaves it, with its text extracted and nothing removed, and as it was sent, with tags. Pages that leak held-out lines are left out of all three. Five seeds; `make evidence NAME=dirty` makes the log again.
"""

# %% id="dirty-log"
dirty = show.read_log(assets.RUNS / "dirty.jsonl")
end = dirty.steps[-1]
recipe = dirty.about["recipe"]
print(f"{dirty.about['command']}: {60 * dirty.hours:.0f} minutes on one core, {dirty.about['precision']}")
print(f"{recipe['steps'] * recipe['batch_size'] * recipe['max_length']:,} tokens a run")
for name, variant in dirty.about["variants"].items():
    epochs = dirty.at(end, lambda run: run["epochs"])[name][0]
    print(f"{name:10} {variant['change']}; {epochs:.2f} times through; expected: {variant['expected']}")


# %% id="dirty-curves"
bits = {name: list(zip(*(dirty.at(step, mean_bits)[name] for step in dirty.steps))) for name in dirty.about["variants"]}
ranks = sorted(bits, key=lambda name: sum(seed[-1] for seed in bits[name]))
show.bands(
    dirty.steps,
    bits,
    title=f"At equal tokens, from least to most bits: {', '.join(ranks)}",
    x="step",
    y="held-out bits per byte",
)
plt.show()

# %% [markdown]
r"""
**What you should see**: three bands; the title says in which order they end.
"""

# %% id="clean-beats-dirty"
languages = {"English": "en", "Chinese": "zh"}
rows = {"extracted": {}, "markup": {}}
for name, code in languages.items():
    base = sum(dirty.at(end, lambda run, code=code: run["bits_per_byte"][code])["clean"]) / 5
    for variant, interval in dirty.against("clean", end, lambda run, code=code: run["bits_per_byte"][code]).items():
        rows[variant][name] = interval
        print(
            f"{variant:10} {name}: {interval.mean:+.3f} bits ({interval.low:+.3f} to {interval.high:+.3f}), {interval.mean / base:+.1%}"
        )
clear = [f"{variant}, {name}" for variant, row in rows.items() for name, i in row.items() if i.low > 0]
unclear = [f"{variant}, {name}" for variant, row in rows.items() for name, i in row.items() if not i.excludes_zero]
assert len(clear) + len(unclear) == 4, "in no language is any dirt better than clean"
show.intervals(
    rows,
    title=f"Dirty pages teach less: seen in {len(clear)} of 4 intervals",
    x="held-out bits per byte more than clean; 95 % intervals over five pairs",
)
plt.show()

# %% id="dirty-loss-is-low"
strict = dirty.against("clean", end, mean_bits, level=1 - 0.05 / 2)
for variant, (low, mean, high) in strict.items():
    print(f"{variant:10} both languages, interval widened for two comparisons: {mean:+.3f} ({low:+.3f} to {high:+.3f})")
training_loss = {name: sum(values) / 5 for name, values in dirty.at(end, lambda run: run["loss"]).items()}
print("training loss in nats a token:", {name: round(value, 2) for name, value in training_loss.items()})
assert training_loss["markup"] < training_loss["clean"], "tags are easy to foresee, and teach nothing about poems"

# %% [markdown]
r"""
**What you should see**: filled marks to the right of zero exclude it; an open one means **no effect seen at this size** there. The printed training losses say why a loss must not be compared across data: whoever reads tags has by far the smallest, and is worse at poems.

Markup costs Chinese far more than English. Part of it is no tag: about half of the Chinese pages come in GB 18030 or UTF-16, and whoever reads bytes as UTF-8 loses their text.

Two limits. "Held out" are poems and plays, which the cleaned pages resemble most: cleaning helps for what you want to be good at. And no run goes through its pages even once, so a copy is seldom met twice: that removing duplicates helps, this experiment could hardly show.
"""

# %% [markdown]
r"""
## 8.12 Put right

> "The model with the lower perplexity is the better one."

Only with the same vocabulary. Perplexity is $e^{L}$ *a token*; give the same total surprise to finer tokens, say characters, and it falls without anything having been learned:
"""

# %% id="perplexity-depends-on-tokens"
text = corpus.load("held_out", "en")[0].text[:600]
ids = torch.tensor([[separator, *tokenizer.encode(text)]])[:, :257]
total, read = training.nats(model, ids), tokenizer.decode(ids[0, 1:].tolist())
by_token, by_character = math.exp(total / (ids.shape[1] - 1)), math.exp(total / len(read))
print(f"{total:.0f} nats: perplexity {by_token:.1f} a token, {by_character:.1f} a character")
assert by_character < by_token

# %% [markdown]
r"""
## 8.13 Not shown at this size

* **Table 2 and Figure 2** (MMLU, C-Eval, GSM8K, MATH, HumanEval, MBPP, BBH) and Tables 13 to 17: a model of 4 million parameters knows no chemistry. Section 8.10 shows how such a table is marked.
* **Tables 10 and 11** (HumanEval, MBPP, HumanEvalPack): our functions have one line.
* That **instruction data in pre-training** helps few-shot use: lesson 10 begins where that would show.
* Three trillion tokens, and what only they show.

## Summary · 小结

1. The objective is the mean surprise at the next token. · 目标是对下一个词元的平均惊讶度。
2. AdamW, a warm-up, and half a cosine down to a tenth. · AdamW、预热，然后余弦衰减到峰值的十分之一。
3. Documents are joined and cut; large batches are added up in parts. · 文档拼接后切成窗口；大批量可分段累加梯度。
4. A resumed run equals an uninterrupted one, bit for bit. · 恢复的训练与未中断的训练逐位相同。
5. A base model is marked by what it finds likely, and how it is asked matters. · 基座模型按似然打分，提问方式影响结果。

**Your prediction**: by letter the model guesses; by the whole line it does better (section 8.10).

**Recall**

<details><summary>1. What is the loss of a model that knows nothing?</summary>

The logarithm of the size of the vocabulary.

</details>
<details><summary>2. Why six operations a weight and token?</summary>

Two forward, four backward.

</details>
<details><summary>3. What must a checkpoint hold besides the weights?</summary>

Both moments of AdamW, the step, the generator, and the place in the data.

</details>
<details><summary>4. When may losses of two models be compared?</summary>

With the same vocabulary; otherwise in bits per byte.

</details>
<details><summary>5. Why does the first step not have rate 0?</summary>

It would be wasted: the warm-up counts step + 1.

</details>
"""
