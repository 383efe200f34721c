"""K-FAC against Fisher matrices that are added up sample by sample, and against curvlinops where it is installed."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from agents.shaping import KFAC, KFACOptions, ShapingError

N, CLASSES = 7, 5


def small(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Tanh(), nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Tanh(), nn.Flatten(),
        nn.Linear(36, CLASSES),
    ).to(dtype)  # fmt: skip


def batch(dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, 2, 5, 5, generator=generator, dtype=dtype), torch.randint(CLASSES, (N,), generator=generator)


def observed(network, inputs, labels, **options):
    optimizer = KFAC(network, 0.1, KFACOptions(**options))
    with optimizer.recording():
        logits = network(inputs)
    optimizer.observe(logits, labels)
    return optimizer


def gradient_of(parameter):
    assert parameter.grad is not None
    return parameter.grad


def slow_factors(network, inputs, weighted_labels):
    """A = Σ a aᵀ / N and G = Σ g gᵀ / (N T), one sample and one place after the other."""
    results = {}
    for name, layer in network.named_modules():
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        A = G = 0.0
        for n in range(len(inputs)):
            kept = {}
            hook = layer.register_forward_hook(lambda _, x, y, kept=kept: kept.update(x=x[0], y=y))
            logits = network(inputs[n : n + 1])
            hook.remove()
            x = kept["x"][0]
            if isinstance(layer, nn.Conv2d):
                k, p, s = layer.kernel_size[0], int(layer.padding[0]), layer.stride[0]
                padded = functional.pad(x, (p, p, p, p))
                out = kept["y"].shape[2:]
                rows = [padded[:, s * i : s * i + k, s * j : s * j + k].flatten() for i in range(out[0]) for j in range(out[1])]
            else:
                rows = [x]
            if layer.bias is not None:
                rows = [torch.cat([row, torch.ones(1, dtype=row.dtype)]) for row in rows]
            A = A + sum(torch.outer(row, row) for row in rows) / len(inputs)
            for label, weight in weighted_labels(n, logits.detach()):
                loss = functional.cross_entropy(logits, torch.tensor([label]))
                (g,) = torch.autograd.grad(loss, kept["y"], retain_graph=True)
                places = g[0].flatten(1).T if isinstance(layer, nn.Conv2d) else g
                G = G + weight * sum(torch.outer(row, row) for row in places) / (len(inputs) * len(places))
        results[name] = A, G
    return results


@pytest.mark.parametrize("fisher", ["empirical", "exact"])
def test_factors_sample_by_sample(fisher):
    network, (inputs, labels) = small(), batch()
    optimizer = observed(network, inputs, labels, fisher=fisher)

    def weighted(n, logits):
        return [(int(labels[n]), 1.0)] if fisher == "empirical" else list(enumerate(logits.softmax(1)[0].tolist()))

    for name, (A, G) in slow_factors(network, inputs, weighted).items():
        state = optimizer.state[optimizer.layers[name].weight]
        torch.testing.assert_close(state["inputs"], A, atol=1e-12, rtol=1e-10)
        torch.testing.assert_close(state["outputs"], G, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize(("fisher", "theirs"), [("empirical", "empirical"), ("exact", "type-2")])
@pytest.mark.filterwarnings("ignore")
def test_factors_of_curvlinops(fisher, theirs):
    curvlinops = pytest.importorskip("curvlinops", reason="needs curvlinops-for-pytorch", exc_type=ImportError)
    network, (inputs, labels) = small(), batch()
    optimizer = observed(network, inputs, labels, fisher=fisher)
    operator = curvlinops.KFACLinearOperator(
        network, nn.CrossEntropyLoss(), list(network.parameters()), [(inputs, labels)],
        fisher_type=theirs, kfac_approx="expand", separate_weight_and_bias=False,
    )  # fmt: skip
    blocks = operator_blocks(operator)
    ours = [(s["outputs"], s["inputs"]) for s in (optimizer.state[layer.weight] for layer in optimizer.layers.values())]
    for (G, A), block in zip(ours, blocks, strict=True):
        torch.testing.assert_close(torch.kron(G, A), block, atol=1e-10 * float(block.abs().max()), rtol=0)


def operator_blocks(operator):
    """The dense blocks, layer by layer, in the order of the parameters [weight, bias]; rows of our factors are [in..., bias]."""
    whole = operator @ torch.eye(operator.shape[1], dtype=torch.float64)
    blocks, start = [], 0
    for out, into, bias in ((3, 18, True), (4, 27, False), (CLASSES, 36, True)):
        index = torch.arange(start, start + out * into).view(out, into)
        start += out * into
        if bias:
            index = torch.cat([index, torch.arange(start, start + out)[:, None]], 1)
            start += out
        index = index.flatten()
        blocks.append(whole[index][:, index])
    return blocks


def test_the_step_of_one_layer_is_the_natural_gradient():
    """At weights of 0 all samples have the same p, so that F = A ⊗ G exactly; F is added up over samples and labels."""
    network = nn.Linear(4, 3).double()
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    torch.manual_seed(0)
    inputs, labels = torch.randn(20, 4, dtype=torch.float64), torch.randint(3, (20,))
    damping = 1e-3
    options = {"fisher": "exact", "damping": damping, "norm_constraint": 1e9, "momentum": 0.0}
    optimizer = observed(network, inputs, labels, **options)
    F = torch.zeros(15, 15, dtype=torch.float64)
    a = torch.cat([inputs, torch.ones(20, 1, dtype=torch.float64)], 1)
    for row in a:
        for label in range(3):
            g = torch.full((3,), 1 / 3, dtype=torch.float64)
            g[label] -= 1
            gradient = torch.outer(g, row).flatten()
            F += torch.outer(gradient, gradient) / (3 * 20)
    functional.cross_entropy(network(inputs), labels).backward()
    gradient = torch.cat([gradient_of(network.weight), gradient_of(network.bias)[:, None]], 1).flatten()
    A, G = a.T @ a / 20, torch.eye(3, dtype=torch.float64) / 3 - 1 / 9
    split = ((A.trace() / 5) / (G.trace() / 3)).sqrt()
    root = damping**0.5
    # The damping of both factors, multiplied out.
    eyes = torch.eye(3, dtype=torch.float64), torch.eye(5, dtype=torch.float64)
    damped = F + root * split * torch.kron(G, eyes[1]) + root / split * torch.kron(eyes[0], A) + damping * torch.eye(15)
    expected = torch.linalg.solve(damped, gradient).view(3, 5)
    optimizer.step()
    torch.testing.assert_close(network.weight / -0.1, expected[:, :4], atol=1e-10, rtol=1e-8)
    torch.testing.assert_close(network.bias / -0.1, expected[:, 4], atol=1e-10, rtol=1e-8)


def test_steps_are_scaled_down_to_the_norm_constraint():
    steps = {}
    for constraint in (1e9, 1e-6):
        network, (inputs, labels) = small(), batch()
        optimizer = observed(network, inputs, labels, norm_constraint=constraint, momentum=0.0)
        before = [p.detach().clone() for p in network.parameters()]
        functional.cross_entropy(network(inputs), labels).backward()
        gradients = [gradient_of(p).clone() for p in network.parameters()]
        optimizer.step()
        steps[constraint] = [(p - b, g) for p, b, g in zip(network.parameters(), before, gradients, strict=True)]
    length = 0.1 * -sum(float((step * g).sum().detach()) for step, g in steps[1e9])
    ratios = [float((small / large).mean().detach()) for (small, _), (large, _) in zip(steps[1e-6], steps[1e9], strict=True)]
    assert ratios == pytest.approx([(1e-6 / length) ** 0.5] * len(ratios), rel=1e-6)


def train(network, optimizer, steps, first=0):
    for step in range(first, first + steps):
        inputs, labels = batch(torch.float32, seed=step)
        with optimizer.recording():
            logits = network(inputs)
        optimizer.observe(logits, labels)
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels).backward()
        optimizer.step()


def test_resumes_to_the_same_bits(tmp_path):
    options = KFACOptions(factor_every=3, inverse_every=4)
    network = small(torch.float32)
    optimizer = KFAC(network, 0.05, options)
    train(network, optimizer, 7)
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    train(network, optimizer, 8, first=7)
    again = small(torch.float32)
    other = KFAC(again, 0.05, options)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    again.load_state_dict(state["network"])
    other.load_state_dict(state["optimizer"])
    train(again, other, 8, first=7)
    for one, two in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


def test_learns_and_keeps_parameters_of_other_layers_moving():
    torch.manual_seed(0)
    norm = nn.LayerNorm(16)
    network = nn.Sequential(nn.Linear(6, 16), norm, nn.Tanh(), nn.Linear(16, 3))
    before = norm.weight.detach().clone()
    inputs = torch.randn(64, 6)
    labels = (inputs @ torch.randn(6, 3)).argmax(1)
    optimizer = KFAC(network, 0.3, KFACOptions(norm_constraint=1e-2))
    for _ in range(60):
        with optimizer.recording():
            logits = network(inputs)
        optimizer.observe(logits)
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    assert (network(inputs).argmax(1) == labels).float().mean() > 0.95
    assert not torch.equal(before, norm.weight)


def test_refused():
    inputs, labels = batch()
    with pytest.raises(ShapingError, match="no linear or convolution layer"):
        KFAC(nn.Sequential(nn.Tanh()), 0.1)
    with pytest.raises(ShapingError, match="one group"):
        KFAC(nn.Conv2d(4, 4, 3, groups=2), 0.1)
    network = small()
    optimizer = KFAC(network, 0.1)
    functional.cross_entropy(network(inputs), labels).backward()
    with pytest.raises(ShapingError, match="before any factors"):
        optimizer.step()
    with pytest.raises(ShapingError, match="expected the labels"):
        observed(small(), inputs, None, fisher="empirical")
    shared = nn.Linear(4, 4)
    twice = nn.Sequential(shared, nn.Tanh(), shared)
    optimizer = KFAC(twice, 0.1)
    with pytest.raises(ShapingError, match="used twice"), optimizer.recording():
        twice(torch.randn(2, 4))
