"""Random walks. Oracles: every walk of a small graph enumerated, optimality by hand, the parts of PPO on their own."""

import dataclasses
import itertools

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import gae, random_walks, rollout, update
from minqwen.align.random_walks import GOAL, LONGEST, NODES, PAD, Graph
from minqwen.model import loss


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def graph():
    return random_walks.make_graph(seeded())


@pytest.fixture(scope="module")
def imitator(graph):
    return random_walks.imitate(graph, seeded(), epochs=4)


def path(*nodes):
    """A row of ids and its mask."""
    rest = LONGEST - len(nodes)
    return torch.tensor([[*nodes, *[PAD] * rest]]), torch.tensor([[True] * len(nodes) + [False] * rest])


@pytest.fixture
def line():
    """3 → 2 → 1 → 0 with a loop 2 → 4 → 3; all other nodes lead to 1."""
    edges = torch.zeros(NODES, NODES, dtype=torch.bool)
    for a, b in ((3, 2), (2, 1), (1, 0), (2, 4), (4, 3)):
        edges[a, b] = True
    edges[5:, 1] = True
    return Graph(edges, random_walks._fewest(edges))


def test_the_fewest_nodes_are_those_of_the_shortest_of_all_walks(graph):
    ways = {node: graph.edges[node].nonzero().flatten().tolist() for node in range(NODES)}
    for start in range(1, NODES):
        ends, nodes = {start}, 1
        while GOAL not in ends:
            ends, nodes = {there for end in ends for there in ways[end]}, nodes + 1
        assert graph.fewest[start] == nodes < LONGEST
    assert graph.fewest[GOAL] == 1


def test_where_the_goal_is_too_far_the_count_says_so(line):
    assert line.fewest[:6].tolist() == [1, 2, 3, 4, 5, 3]
    alone = line.edges.clone()
    alone[1] = False  # nothing leads to the goal any more
    assert (random_walks._fewest(alone)[1:] > LONGEST).all()
    longer = torch.zeros(NODES, NODES, dtype=torch.bool)
    longer[torch.arange(1, NODES), torch.arange(NODES - 1)] = True  # 20 → 19 → ... → 0
    assert random_walks._fewest(longer).tolist() == [min(node, LONGEST) + 1 for node in range(NODES)]


def test_a_graph_in_which_a_start_leaves_no_room_for_a_detour_is_not_taken(monkeypatch):
    found = iter([torch.full((NODES,), LONGEST), torch.full((NODES,), LONGEST - 1)])
    monkeypatch.setattr(random_walks, "_fewest", lambda edges: next(found))
    assert (random_walks.make_graph(seeded()).fewest == LONGEST - 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_graph_has_edges_of_the_stated_share_and_nothing_leaves_the_goal(seed):
    edges = random_walks.make_graph(seeded(seed)).edges
    assert not edges[GOAL].any() and not edges.diagonal().any()
    assert edges[1:].any(dim=-1).all() and 25 <= edges.sum() <= 60  # 40 expected of 400


def test_the_same_generator_gives_the_same_graph_and_walks(graph):
    again = random_walks.make_graph(seeded())
    assert again.edges.equal(graph.edges)
    first, second = (random_walks.draw_walks(graph, 30, seeded(1)) for _ in range(2))
    assert first.ids.equal(second.ids)


def test_drawn_walks_keep_to_edges_and_stop_at_the_goal(graph):
    walks = random_walks.draw_walks(graph, 300, seeded(2))
    for ids, is_token in zip(walks.ids.tolist(), walks.is_token.tolist()):
        nodes = [node for node, kept in zip(ids, is_token) if kept]
        assert all(graph.edges[a, b] for a, b in itertools.pairwise(nodes))
        assert nodes[0] != GOAL and (nodes[-1] == GOAL or len(nodes) == LONGEST) and GOAL not in nodes[:-1]
        assert set(ids[len(nodes) :]) <= {PAD}
    assert 0 < walks.ended.sum() < 300


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param((3, 2, 1, 0), 1.0, id="a shortest walk"),
        pytest.param((3, 2, 4, 3, 2, 1, 0), 3 / 6, id="with a loop of three"),
        pytest.param((1, 0), 1.0, id="one step"),
        pytest.param((3, 1, 0), 0.0, id="along no edge, though it arrives"),
        pytest.param((3, 2, 4, 3, 2, 4, 3, 2, 4, 3), 0.0, id="never there"),
        pytest.param((3, 2, 4, 3, 2, 4, 3, 2, 1, 0), 0.0, id="there with the last node"),
    ],
)
def test_optimality_by_hand(line, nodes, expected):
    assert_close(random_walks.optimality(line, *path(*nodes)).item(), expected)


def test_what_stands_in_the_padding_does_not_count(line):
    ids, is_token = path(3, 2, 1, 0)
    for other in range(NODES):
        assert random_walks.optimality(line, ids.where(is_token, other), is_token) == 1.0


def test_an_imitator_keeps_to_the_edges_far_more_often_than_chance(graph, imitator):
    walked = random_walks.walk(imitator, torch.arange(1, NODES).repeat(20), seeded(3))
    steps = walked.is_token[:, 1:]
    allowed = graph.edges[walked.ids[:, :-1], walked.ids[:, 1:]][steps].double().mean()
    assert allowed > 0.5 and graph.edges.double().mean() < 0.15


@pytest.fixture
def steps(monkeypatch):
    """Rate and ε of every step that Adam takes."""
    seen = []

    class Watched(torch.optim.Adam):
        def step(self, closure=None):
            seen.append((self.param_groups[0]["lr"], self.param_groups[0]["eps"]))
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    return seen


def test_an_imitator_takes_a_step_on_a_hundred_walks_at_a_rate_that_falls(graph, steps, monkeypatch):
    right, masks = loss.next_token_loss, []

    def watched(logits, targets, mask):
        masks.append((targets, mask))
        return right(logits, targets, mask)

    monkeypatch.setattr(loss, "next_token_loss", watched)
    random_walks.imitate(graph, seeded(), walks=300, epochs=2, rate=4e-3)
    assert [rate for rate, _ in steps] == [4e-3] * 3 + [2e-3] * 3
    assert all(len(mask) == 100 and not mask.all() and (ids[~mask] == PAD).all() for ids, mask in masks)


def test_both_rates_fall_in_a_line_and_adam_has_its_epsilon(graph, imitator, steps):
    settings = dataclasses.replace(random_walks.PPO, policy_rate=1e-3, value_rate=3e-3, epochs=1, minibatches=1)
    list(random_walks.improve(copied(imitator), graph, seeded(), 2, 8, settings))
    assert sorted(steps) == [(5e-4, 1e-5), (1e-3, 1e-5), (1.5e-3, 1e-5), (3e-3, 1e-5)]


def test_the_critic_foretells_nothing_at_first(imitator):
    critic = random_walks.critic_of(imitator)
    assert (critic.values(torch.tensor([[3, 5, 7]])) == 0).all()
    assert critic.trunk is not imitator and critic.trunk.lm_head is not imitator.lm_head


def test_experience_is_gae_on_a_reward_at_the_last_node(graph, imitator):
    policy, critic = imitator, random_walks.critic_of(imitator)
    torch.nn.init.normal_(critic.score.weight, generator=seeded(1))
    walked = random_walks.walk(policy, torch.arange(1, NODES), seeded(3))
    other, settings = random_walks.Qwen(random_walks.SIZE, seeded(2)), dataclasses.replace(random_walks.PPO, beta=0.3)
    with torch.no_grad():
        batch, gauges = random_walks.experience(policy, other, critic, graph, walked, settings)
        kl = rollout.answer_logp(policy, walked) - rollout.answer_logp(other, walked)
        values = critic.values(walked.ids, walked.is_token)
        scores = random_walks.optimality(graph, walked.ids, walked.is_token)
    raw = torch.zeros_like(batch.returns)
    for b, nodes in enumerate(walked.is_token.sum(-1).tolist()):
        v = [*values[b, : nodes - 1].tolist(), 0.0]
        paid = [(scores[b].item() if t == nodes - 2 else 0.0) - 0.3 * kl[b, t].item() for t in range(nodes - 1)]
        deltas = [v[t + 1] - v[t] + paid[t] for t in range(nodes - 1)]
        for t in range(nodes - 1):
            raw[b, t] = sum(0.95**k * delta for k, delta in enumerate(deltas[t:]))
    mask = walked.is_answer
    assert_close(batch.advantages, gae.whiten(raw, mask), atol=1e-4, rtol=1e-4)
    assert_close(batch.returns, (raw + values[:, :-1]).where(mask, 0.0), atol=1e-5, rtol=1e-5)
    assert gauges["optimality"] == pytest.approx(scores.mean().item())
    assert gauges["kl"] == pytest.approx(kl.where(mask, 0.0).sum(-1).mean().item(), rel=1e-5)
    assert gauges["arrived"] == walked.ended.double().mean() and not walked.ended.all()
    assert gauges["explained"] == gae.explained_variance(batch.returns, batch.values, mask)


def test_log_probabilities_are_those_of_the_walk_alone(imitator):
    walked = random_walks.walk(imitator, torch.arange(1, NODES), seeded(3))
    with torch.no_grad():
        found = rollout.answer_logp(imitator, walked)
        for ids, kept, logp in zip(walked.ids, walked.is_token, found):
            nodes = ids[kept][None]
            alone = imitator(nodes[:, :-1]).log_softmax(-1).gather(-1, nodes[:, 1:, None])[0, :, 0]
            assert_close(logp[: len(alone)], alone, atol=1e-5, rtol=1e-5)


def copied(model):
    other = random_walks.Qwen(model.config)
    other.load_state_dict(model.state_dict())
    return other


def test_ppo_improves_the_imitator_and_meets_the_policy_that_walked(graph, imitator):
    policy = copied(imitator)
    done = list(random_walks.improve(policy, graph, seeded(4), iterations=6, rollouts=64))
    assert max(each.ratio for each in done) < 1e-6
    assert done[0].kl == 0 and done[-1].kl > 0.1 and max(each.clip_share for each in done) > 0.001
    assert random_walks.score(policy, graph, seeded(5)) > random_walks.score(imitator, graph, seeded(5)) + 0.2
    assert random_walks.score(policy, graph, None, greedy=True) <= 1


def test_a_run_is_the_same_again_and_leaves_the_reference_alone(graph, imitator):
    before = {name: weight.clone() for name, weight in imitator.state_dict().items()}
    runs = [list(random_walks.improve(copied(imitator), graph, seeded(4), 2, 16)) for _ in range(2)]
    assert runs[0] == runs[1]
    assert all(weight.equal(before[name]) for name, weight in imitator.state_dict().items())


def test_what_follows_the_goal_reaches_no_gradient(graph, imitator):
    walked = random_walks.walk(imitator, torch.arange(1, NODES), seeded(3))
    assert not walked.is_token.all()
    settings = dataclasses.replace(random_walks.PPO, epochs=1, minibatches=1)
    grads = []
    for other in (PAD, 7):
        policy, critic = copied(imitator), random_walks.critic_of(imitator)
        told = walked._replace(ids=walked.ids.where(walked.is_token, other))
        with torch.no_grad():
            batch, _ = random_walks.experience(policy, policy, critic, graph, told, settings)
        update.policy_loss(policy, batch, 0.2, 1.0)[0].loss.backward()
        grads.append(policy.lm_head.weight.grad)
    assert_close(grads[0], grads[1])
