# %% [markdown]
r"""
# 13 · RLHF · 基于人类反馈的强化学习

**How does a model learn to write what a judge likes, without forgetting how to write?** · **模型怎样学会写出评判者喜欢的文字，又不忘记怎样写作？**

| | |
| --- | --- |
| Paper | Qwen Technical Report ([arXiv:2309.16609](https://arxiv.org/abs/2309.16609)), sections 3.2.2 and 3.3; Ouyang et al. 2022 ([arXiv:2203.02155](https://arxiv.org/abs/2203.02155)); Gao et al. 2023 ([arXiv:2210.10760](https://arxiv.org/abs/2210.10760)) |
| You will have built | rewards for tokens, the KL penalty, the whole loop of four models; watched a judge being fooled, or not |
| Time | about 90 minutes to learn, {{seconds}} seconds to run |
| Needs | lessons 10, 11 and 12 |
| Exercises | 13.1 a bug · 13.2 kl_estimate · 13.3 token_rewards · 13.4 a bug · 13.5 the price · 13.6 the peak |
"""

# %% tags=["setup"]
import copy
import math

import matplotlib.pyplot as plt
import torch
from torch.testing import assert_close

from minqwen import assets, show
from minqwen.align import answers, chatml, gae, gold, ppo, preference, rereading, rollout, shaping
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rlhf import RLHF
from minqwen.align.rollout import Sampling
from minqwen.align.tasks import verse
from minqwen.check import check, hint, using
from minqwen.data import prosody
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN_SFT)
sft = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
aligned = Qwen.from_pretrained(assets.TINY_QWEN_RLHF)
judge = RewardModel.from_pretrained(assets.TINY_QWEN_REWARD)
END, PAD = tokenizer.control_ids[chatml.END], tokenizer.control_ids["<|endoftext|>"]

# %% [markdown]
r"""
## 13.0 Look first: is there room?

The fine-tuned model writes a quatrain on each of 60 titles that it never saw. It samples at temperature 1 with the report's top-p of 0.9. The *gold* rule of lesson 11 marks the poems; a perfect one has 1. If the marks were close to 1, there would be nothing to show:
"""

# %% id="headroom"
table = prosody.load()
held_out = preference.read(assets.PREFERENCES / "held_out.jsonl")[:60]
questions = [each.question for each in held_out]


def title(question):
    return question[question.index("《") + 1 : question.rindex("》")]


def write(model, seed=0, temperature=1.0):
    generator = torch.Generator().manual_seed(seed)
    return answers.answer(model, tokenizer, questions, 32, temperature=temperature, top_p=0.9, generator=generator)


def marks(poems):
    return [gold.score(title(question), poem, table.tone, table.rhyme) for question, poem in zip(questions, poems)]


def golds(poems):
    return torch.tensor([mark.total for mark in marks(poems)])


before = write(sft)
ours = golds(before)
room = (1 - ours.mean()) / ours.std()
print(f"gold: {ours.mean():.2f} ± {ours.std():.2f}, so {room:.1f} deviations of room")
assert room > 2

# %% [markdown]
r"""
**Why temperature 1?** At 0.7 the same model writes mostly well-formed poems. There less is left to gain: we chose the temperature where a small run shows most. At 1 most poems break their form:
"""

# %% id="form-and-temperature"
for temperature in (0.7, 1.0):
    found = marks(write(sft, temperature=temperature))
    formed = sum(mark.form for mark in found) / len(found)
    mean = sum(mark.total for mark in found) / len(found)
    print(f"temperature {temperature}: {formed:.0%} well-formed, gold {mean:.2f}")
assert formed < 0.4

# %% [markdown]
r"""
And what came of it: the same titles, the fine-tuned model and the shipped model after RLHF.
"""

# %% id="before-and-after"
after = write(aligned)
assert golds(after).mean() > ours.mean()
show.table(
    ["title", "after SFT", "after RLHF"],
    [[title(q), a.replace("\n", " "), b.replace("\n", " ")] for q, a, b in list(zip(questions, before, after))[:5]],
)

# %% [markdown]
r"""
**Predict**: nothing but the judge's score counts, and the policy may change as it likes (β = 0). Does the *gold* score of its poems end up higher or lower than with a penalty on change? Section 13.8 answers.

## 13.1 Four models, five steps

**Why.** PPO (lesson 12) needs a reward for what the policy does. Here an action is a token, and the reward comes from a model of what people like. Four models take part:

| model | begins as | learns? | does |
| --- | --- | --- | --- |
| policy | the fine-tuned model | yes | answers |
| reference | the fine-tuned model | no | says how likely it would have found each token |
| reward | lesson 11's judge | no | scores a whole answer at its end token |
| value | a copy of the judge, its head set to 0 | yes | foretells, before each token, how the rest will go |

The five steps are the docstring of the module:
"""

# %%
print(RLHF.__module__, "·", __import__(RLHF.__module__, fromlist=["x"]).__doc__.split("five steps of PPO:")[1])

# %% [markdown]
r"""
## 13.2 Step 1: two answers a query

Prompts of unequal length are padded on the left. Each is answered **twice**, which the report found more effective. An answer ends at its first end token, and everything behind it is padding that no model looks at:
"""

# %% id="two-answers"
prompts = answers.prompts(questions[:3], tokenizer)
sampling = Sampling(answers=2, max_new_tokens=32, temperature=1.0, top_p=0.9)
rolled = rollout.roll_out(sft, prompts, sampling, END, PAD, torch.Generator().manual_seed(0))
show.shapes(prompts=prompts.ids, ids=rolled.ids, is_answer=rolled.is_answer)
assert len(rolled.ids) == 2 * len(prompts.ids)
assert (
    rolled.written[~rolled.is_answer].eq(PAD).all()
    and not rolled.is_token[:, -rolled.written.shape[1] :][~rolled.is_answer].any()
)

# %% id="end-by-eye"
written = torch.tensor([[7, 8, END, 9], [7, 8, 9, 7]])
print(rollout.until_end(written, END))
assert rollout.until_end(written, END).tolist() == [[True, True, True, False], [True] * 4]

# %% [markdown]
r"""
If padding and end were one token, masking the padding would mask the end, where the score is. So that is refused:
"""

# %% id="pad-is-not-end"
try:
    RLHF(sft, copy.deepcopy(judge), judge, end_id=END, pad_id=END)
except ValueError as error:
    print(error)

# %% [markdown]
r"""
**Log-probabilities of what?** Top-p draws from the likeliest tokens that hold 0.9 of the probability. We take $\log\pi$ of the *whole* softmax, at the temperature that was drawn with: of the truncated one, a token that the new policy leaves out would have probability 0, so its log-ratio would be −∞. They are read in one full pass, for the old policy too. So the first ratio of every iteration is 1, a check that finds many bugs:
"""

# %% id="first-ratio-is-one"
with torch.no_grad():
    logp_old = rollout.answer_logp(sft, rolled)
    half = rolled.rows(torch.tensor([0, 3, 4]))
    log_ratio = rollout.answer_logp(sft, half) - logp_old[[0, 3, 4]]
print(f"max |log ratio| in the first minibatch: {log_ratio[half.is_answer].abs().max():.1e}")
assert log_ratio[half.is_answer].abs().max() < 1e-4  # rounding of one pass; the tests hold tiny models to 1e-6

# %% exercise="13_other_temperature"

# %% [markdown]
r"""
**What does the judge read?** A sampled answer may hold tokens that no encoder writes: half a character, or a character in pieces. The judge learned from encoded *texts*, and has seen no such row. Of 60 answers we score those that end, as they were sampled and again after decoding and encoding:
"""

# %% id="the-judge-reads-text"
many = rollout.roll_out(
    sft, answers.prompts(questions, tokenizer), Sampling(1, 32), END, PAD, torch.Generator().manual_seed(1)
)
with torch.no_grad():
    sampled = judge(many.ids, many.is_token)[many.ended]
    read = rereading.by_text(judge, tokenizer)(many.ids, many.is_token)[many.ended]
print(f"mean score of the same answers: as sampled {sampled.mean():+.2f}, as text {read.mean():+.2f}")
assert sampled.mean() > read.mean()

# %% [markdown]
r"""
Broken answers look better as raw tokens than they are. A policy would be paid for them, so ours is scored by its text. The judge's scale is also set anew: mean 0 and deviation 1 over these answers, which is what a gain will be counted in.
"""

# %% id="scale-of-the-judge"
judge.normalise(read)
score = rereading.by_text(judge, tokenizer)
with torch.no_grad():
    again = score(many.ids, many.is_token)[many.ended]
assert abs(again.mean()) < 1e-3 and abs(again.std(correction=0) - 1) < 1e-3

# %% [markdown]
r"""
## 13.3 Steps 2 and 3: a score at the end, and a price for every token

**Why.** The judge learned from poems that look like the fine-tuned model's. Far from them it is a guess. So each token costs $\beta\,(\log\pi-\log\pi_\text{ref})$, whose mean is $\beta$ times the KL divergence from the reference (with top-p only about: the tokens come from a slightly sharper distribution). The report's β is 0.04. The bracket is 1 where it holds, at the end token, and 0 elsewhere:

$$r_t=-\beta\,(\log\pi(a_t)-\log\pi_\text{ref}(a_t))+[t=\text{end}]\cdot\text{score},\qquad \log\pi: (B, N),\ \text{score}: (B,)$$

Lesson 12 compared three estimators of the KL from tokens that the policy drew. RLHF uses the first, $k_1=\log\pi-\log\pi_\text{ref}$: as a reward only it gives the gradient of the KL.
"""

# %% exercise="kl_estimate"
asked = answers.prompts([verse.QUATRAIN.format("山中")], tokenizer)
with using(kl_estimate), torch.no_grad():
    drawn = rollout.roll_out(aligned, asked, Sampling(8, 32), END, PAD, torch.Generator().manual_seed(0))
    kl = ppo.kl_estimate(rollout.answer_logp(aligned, drawn), rollout.answer_logp(sft, drawn))
strayed = kl.where(drawn.is_answer, 0.0).sum(-1).mean()
print(f"on this title the shipped policy strayed by {strayed:.1f} nats an answer")
assert strayed > 0

# %% [markdown]
r"""
From one score to a reward for each token, by loops and by the library:
"""


# %% id="token-rewards-by-loops"
def rewards_by_loops(scores, kl, mask, beta):
    rows = torch.zeros_like(kl)
    for b in range(len(kl)):
        n = int(mask[b].sum())
        for t in range(n):
            rows[b, t] = -beta * kl[b, t]
        rows[b, n - 1] += scores[b]
    return rows


scores, kl = torch.tensor([2.0, -1.0]), torch.tensor([[0.5, -0.25, 1.0, 9.0], [0.1, 0.1, 0.1, 0.1]])
mask = torch.tensor([[True, True, True, False], [True] * 4])
rewards = shaping.token_rewards(scores, kl, mask, beta=0.1)
show.shapes(scores=scores, kl=kl, rewards=rewards)
print(rewards)
assert_close(rewards, rewards_by_loops(scores, kl, mask, 0.1))

# %% exercise="token_rewards"
with using(token_rewards):
    rewards = shaping.token_rewards(
        torch.tensor([2.0]), torch.tensor([[0.5, 1.0, 9.0]]), torch.arange(3)[None] < 2, 0.04
    )
print("an answer's rewards add up to its score less β times its KL:", rewards)
assert_close(rewards.sum(-1), torch.tensor([2.0 - 0.04 * 1.5]))

# %% [markdown]
r"""
**Break it once.** One sign:
"""

# %% exercise="13_kl_sign"

# %% [markdown]
r"""
Two details. The score is taken less the **running mean** of all scores so far. And an answer that never ends has no end token to be read at: it gets a fixed −2 *in place of* a score. (OpenAI's first code replaces too; the TRL library subtracts a penalty from what the reward model said.)
"""

# %% id="running-mean"
mean = shaping.RunningMean()
assert mean.centre(torch.tensor([1.0, 3.0])).tolist() == [-1.0, 1.0]
assert mean.centre(torch.tensor([5.0])).tolist() == [2.0]  # 5 less the mean of 1, 3 and 5

# %% [markdown]
r"""
## 13.4 Steps 4 and 5: advantages, then clipped steps

Lesson 12's functions do the rest: advantages from rewards and values, whitened; returns from the raw ones; the clipped losses, the value's with 0.15. The value model starts from the judge's features, but its head from 0: the judge's own head was trained at end tokens only, and foretells nothing elsewhere. So that it can adapt, at first **only the value model learns** (the report: 50 steps; ours: 2 of 18; section 13.9 leaves this out).
"""

# %% id="advantages-of-an-answer"
value = judge.value_model()
with torch.no_grad():
    scores = score(rolled.ids, rolled.is_token).where(rolled.ended, -2.0)
    values = rollout.answer_values(value.values, rolled)
rewards = shaping.token_rewards(scores - scores.mean(), torch.zeros_like(values), rolled.is_answer, 0.04)
advantages, returns = gae.gae(rewards, values, 1.0, 0.95, rolled.is_answer)
white = gae.whiten(advantages, rolled.is_answer)
show.shapes(values=values, advantages=advantages, returns=returns)
assert abs(white[rolled.is_answer].mean()) < 1e-5
assert_close(returns, (advantages + values).where(rolled.is_answer, 0.0))

# %% [markdown]
r"""
What this lesson asserts for rewards, `tests/align/` checks for the rest: log-probabilities, padding, masks, frozen weights.

## 13.5 Live

Nine iterations on 24 titles. Stated in advance: the reward of the last three is above that of the first three, the KL starts at exactly 0, and the first ratio is always 1.
"""

# %% id="live-rlhf"
train = [each.question for each in preference.read(assets.PREFERENCES / "train.jsonl")]
asked = [answers.prompts(train[at : at + 24], tokenizer) for at in range(0, 9 * 24, 24)]


def begin(beta=0.04):
    policy = copy.deepcopy(sft)
    settings = Settings(beta=beta, value_only=1, minibatches=2, policy_rate=1e-3)
    given = policy, judge.value_model(), score, END, PAD, settings, sampling
    return RLHF(*given, torch.Generator().manual_seed(0))


trainer = begin()
seen = [each.gauges for each in show.gauges(trainer.steps(asked, len(asked)))]
plt.show()

# %% id="live-rlhf-holds"
first, last = (sum(g.reward for g in some) / 3 for some in (seen[:3], seen[-3:]))
print(f"reward {first:+.2f} → {last:+.2f} at a KL of {seen[-1].kl:.1f} nats")
assert seen[0].kl == 0 and max(g.ratio for g in seen) < 1e-4
assert last > first
assert all(p.equal(q) for p, q in zip(trainer.reference.parameters(), sft.parameters()))

# %% [markdown]
r"""
**What you should see**: reward up, KL up from 0, nearly all answers with an end, few clipped tokens.

The same with buttons: **Stop** ends the run after the iteration under way and leaves a policy that can be used. So does a KL that runs away, or a reward that is no number.
"""

# %%
show.aligner(
    lambda: begin().steps(asked, len(asked)),
    lambda each: answers.until(each.rollout.written[0].tolist(), [END, PAD], tokenizer),
)

# %% [markdown]
r"""
## 13.6 Five seeds: what β does

One run shows a direction. The log holds 18 iterations on 48 titles of every variant, five seeds each, and what we expected of them. Rate and number of iterations were chosen on seed 0 of the first variant:
"""

# %% id="evidence"
log = show.read_log(assets.RUNS / "rlhf.jsonl")
print(f"{log.about['command']}: {log.about['recipe']['seeds']} seeds, {log.hours:.1f} hours on one core")
for name, variant in log.about["variants"].items():
    print(f"{name}: {variant['change']}; expected: {variant['expected']}")

# %%
BETAS = ("beta 0", "beta 0.04", "beta 0.2")


def curves_of(value):
    by_step = [log.at(step, value) for step in log.steps]
    return {name: [list(seed) for seed in zip(*(step[name] for step in by_step))] for name in BETAS}


last = log.steps[-1]
show.bands(log.steps, curves_of(lambda r: r["reward"]), "The reward rises", "iteration", "reward, deviations")
plt.show()

# %%
show.bands(log.steps, curves_of(lambda r: r["kl"]), "Less penalty, further away", "iteration", "KL, nats an answer")
plt.show()

# %%
show.bands(
    log.steps, curves_of(lambda r: r["gold"]), "Gold rises with it, which the policy is never told", "iteration", "gold"
)
plt.show()

# %% [markdown]
r"""
**What you should see**: three pictures. The smaller β, the further the policy goes. A β of 0.2 holds it back where most poems still break their form; 0.04 and 0 differ in KL far more than in reward.

We asked for 1.5 deviations more reward, on titles that were never trained on, at a KL of at most 12 nats (of the last answers in training). Was it reached?
"""


# %% id="reward-and-kl"
def held_out_at(step, of, name="beta 0.04"):
    return log.at(step, lambda record: of(record["held_out"]))[name]


first, final = (held_out_at(step, lambda found: found["reward"]) for step in (0, last))
gain = [b - a for a, b in zip(first, final)]
nats = log.at(last, lambda r: r["kl"])["beta 0.04"]
print("reward gained by seed:", [f"{x:+.2f}" for x in gain], "KL:", [f"{x:.1f}" for x in nats])
within = sum(n <= 12 for n in nats)
print(f"at least 1.5: {sum(g >= 1.5 for g in gain)} of {len(gain)} seeds; 12 nats or less: {within} of {len(nats)}")
assert min(gain) >= 1.5 and within >= len(nats) / 2 and max(nats) < 13

# %% [markdown]
r"""
The reward was reached by every seed, the KL missed by some, by less than a nat. The unit is the deviation of those answers of the fine-tuned model that end.
"""

# %% exercise="13_worth"

# %% [markdown]
r"""
## 13.7 Figure 4 in miniature

The report lets people compare answers with those of a fixed opponent (GPT-3.5): its 14B model won 30.7 %, tied 32.3 and lost 37.0 after SFT; 38.7, 28.9 and 32.4 after RLHF. Our opponent is the base model: its continuation of 《title》, cut to four lines, which lies beside lesson 11's answers. The gold rule decides; within 0.05 is a tie.
"""


# %% id="figure-4"
def share(step, key):
    values = held_out_at(step, lambda found: found[key])
    return sum(values) / len(values)


shares = [[name, *(share(step, key) for key in ("win", "loss", "gold"))] for name, step in (("SFT", 0), ("RLHF", last))]
gained = show.paired_difference(*(held_out_at(step, lambda found: found["gold"]) for step in (last, 0)))
print(f"gold on titles it never saw: {gained.mean:+.3f}, 95 % between {gained.low:+.3f} and {gained.high:+.3f}")
assert gained.low > 0
show.table(
    ["model", "win", "tie", "loss", "gold"],
    [[n, f"{win:.1%}", f"{1 - win - loss:.1%}", f"{loss:.1%}", f"{g:.3f}"] for n, win, loss, g in shares],
)

# %% [markdown]
r"""
Which rules did it learn? Everything but `form` counts only in a well-formed poem, and so is also shown as a mean over those:
"""


# %% id="which-rules"
def part(step, name):
    values = held_out_at(step, lambda found: found["parts"][name])
    return sum(values) / len(values)


names = ("form", "rhyme", "tones", "no_repeat", "title")
form = {step: part(step, "form") for step in (0, last)}
assert form[last] > 2 * form[0]
show.table(
    ["rule", "SFT", "RLHF", "SFT, of well-formed", "RLHF, of well-formed"],
    [[n, *(f"{part(step, n) / (form[step] if of else 1):.2f}" for of in (0, 1) for step in form)] for n in names],
)

# %% [markdown]
r"""
**What you should see**: it learned to keep the form, which is most of the gain. Of the well-formed poems no more take up their title than before, rather fewer: what is hardly ever drawn is hardly ever rewarded. **Compare with 13.0**: without any RLHF, at temperature 0.7, the fine-tuned model has a higher gold score than this. What RLHF taught here is for the most part what a lower temperature does too.

## 13.8 Fooling the judge

**Why.** The judge is a model of the gold rule. A policy that is only told the judge's score will find where the two part (Gao et al. 2023: *overoptimisation*). With β = 0, reward against gold along the run:
"""


# %% id="hacking"
def along(name, key):
    seeds = curves_of(lambda record: record[key])[name]
    return [sum(values) / len(values) for values in zip(*seeds)]


free, kept = ({key: along(name, key) for key in ("reward", "gold", "kl")} for name in ("beta 0", "beta 0.04"))
by_three = [sum(free["gold"][at : at + 3]) / 3 for at in range(len(free["gold"]) - 2)]
peak, end = max(by_three), by_three[-1]
fell = peak - end
print(
    f"β = 0: reward {free['reward'][-1]:+.2f} at {free['kl'][-1]:.0f} nats; gold (over three iterations) at best {peak:.3f}, at the end {end:.3f}"
)
print(
    f"β = 0.04: reward {kept['reward'][-1]:+.2f} at {kept['kl'][-1]:.0f} nats; gold at the end {kept['gold'][-1]:.3f}"
)
on_new = log.against("beta 0.04", last, lambda record: record["held_out"]["gold"])["beta 0"]
print(
    f"gold on new titles, β = 0 less β = 0.04: {on_new.mean:+.3f}, 95 % between {on_new.low:+.3f} and {on_new.high:+.3f}"
)
assert on_new.low < 0 < on_new.high
print("hacking seen: gold fell while reward rose" if fell > 0.03 else "no hacking seen in these iterations")
print(
    "a poem at the end, β = 0:",
    next(r["sample"] for r in log.records if r["variant"] == "beta 0" and r["step"] == last),
)
cost = log.against("beta 0.04", last, lambda r: sum(r["held_out"]["bits_per_byte"].values()) / 2)["beta 0"]
print(f"bits per byte, β = 0 less β = 0.04: {cost.mean:+.3f}, 95 % between {cost.low:+.3f} and {cost.high:+.3f}")
assert free["kl"][-1] > 1.4 * kept["kl"][-1] and cost.low > 0 and fell < 0.03

# %% [markdown]
r"""
**What you should see**: without a penalty the policy goes nearly twice as far, for a little more reward, and loses more of its English and Chinese (bits per byte). Gold does not fall. We expected hacking, and in these iterations there is none: most of this reward is for form, where judge and gold agree. Exercise 13.6 is about where they part.
"""

# %% exercise="13_peak"

# %% [markdown]
r"""
## 13.9 Two ablations

Without the value-only start, and with the gradient of pre-training against the **alignment tax**. Differences to the recipe at the end of the run, with 95 % intervals over seeds; filled where 0 is excluded:
"""

# %%
ABLATED = ("no value-only start", "pre-training text")
rewards = log.against("beta 0.04", last, lambda r: r["held_out"]["reward"])
tax = log.against("beta 0.04", last, lambda r: sum(r["held_out"]["bits_per_byte"].values()) / 2)
show.intervals(
    {name: {"reward": rewards[name], "bits per byte": tax[name]} for name in ABLATED},
    "What the two changes change",
    "difference to the recipe",
)
plt.show()

# %% id="ablations"
start, end = (sum(held_out_at(step, lambda f: sum(f["bits_per_byte"].values()) / 2)) for step in (0, last))
seeds = len(final)
print(f"bits per byte of both languages: {start / seeds:.3f} before, {end / seeds:.3f} after")
nats = log.against("beta 0.04", last, lambda r: r["kl"])
for name in ABLATED:
    for what, found in (("reward", rewards[name]), ("bits per byte", tax[name]), ("KL", nats[name])):
        print(f"{name}: {what} {found.mean:+.3f}", "" if found.excludes_zero else "(no effect seen at this size)")
assert tax["no value-only start"].low > 0 and nats["no value-only start"].low > 0
assert tax["pre-training text"].high < 0 and rewards["pre-training text"].high < 0

# %% [markdown]
r"""
**What you should see**: without the value-only start the policy earns as much, and strays further for it: more nats, more bits per byte. (It also learns in two iterations more.) With pre-training text most of the tax is gone, and a part of the reward too. The report says so of a coefficient that is too large.

## 13.10 Put right

> "So much more reward costs so many nats."

It does along one way of getting it. Another: draw eight answers from the fine-tuned model and keep the one that the judge likes best. Nothing is trained, and the KL of such a choice is at most log 8 − 7/8 (Stiennon et al. 2020, [arXiv:2009.01325](https://arxiv.org/abs/2009.01325)):
"""

# %% id="best-of-eight"
some = answers.prompts(questions[:30], tokenizer)
eight = rollout.roll_out(sft, some, Sampling(8, 32), END, PAD, torch.Generator().manual_seed(2))
drawn = score(eight.ids, eight.is_token).where(eight.ended, -2.0).view(30, 8)
one, best = drawn.mean().item(), drawn.max(dim=-1).values.mean().item()
print(
    f"one answer {one:+.2f}, the best of eight {best:+.2f}: {best - one:+.2f} at {math.log(8) - 7 / 8:.1f} nats or less"
)
assert best - one > 1

# %% [markdown]
r"""
It pays in draws, eight for every answer it will ever give. PPO pays once. How far a policy has gone and how good it has become are two gauges, and neither tells the other.

## 13.11 Talk to what you made

The shipped policy, on a title of yours (山中, 春望, ...):
"""

# %%
generator = torch.Generator().manual_seed(0)


def reply(title):
    question = verse.QUATRAIN.format(title)
    return answers.answer(aligned, tokenizer, [question], 32, temperature=1.0, top_p=0.9, generator=generator)[0]


show.chat_box(reply)

# %% [markdown]
r"""
**Not shown at this size**

* People as judges: ours is a rule, and so exactly consistent. Elo ratings (appendix A.2.2) need many models.
* That two answers are better than one at equal cost, and top-p 0.9 better than 1: we use both, and compared neither.
* Policies that get better at everything at once: ours writes quatrains.

## Summary · 小结

1. A reward model scores whole answers; PPO needs a reward for each token: the score stands at the end token. · 奖励模型给整个回答打分，分数放在结束词元上。
2. Each token costs β times its log-ratio to the reference. · 每个词元按与参考模型的对数比付出代价。
3. Old log-probabilities come from a full pass at the same temperature, so the first ratio is 1. · 旧对数概率由同温度的完整前向得到，因此首个比值为 1。
4. The judge is right near what it was trained on; the penalty keeps the policy there. · 评判只在训练分布附近可靠，惩罚让策略留在那里。
5. Watch reward, KL and a gold measure together, and stop when they part. · 同时观察奖励、KL 与黄金标准，背离时就停下。

**Your prediction**: section 13.8 prints the numbers. On new titles no difference in gold is seen between β = 0 and 0.04; only the way there is longer.

**Recall**

<details><summary>1. Which of the four models learn?</summary>

Policy and value.

</details>
<details><summary>2. Where is the score added?</summary>

At the end token of each answer.

</details>
<details><summary>3. What should the ratio be in the first minibatch?</summary>

1, to rounding.

</details>
<details><summary>4. Why must the padding token differ from the end token?</summary>

Masking one would mask the other, and with it the score.

</details>
<details><summary>5. What does β = 0 risk?</summary>

A policy that pleases the judge where the judge is wrong.

</details>
"""
