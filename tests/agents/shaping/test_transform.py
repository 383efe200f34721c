"""The constants of both methods: published ones, their conditions by an independent quadrature, and what can't be reached."""

import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from agents.shaping import FUNCTIONS, Function, LocalMaps, ShapingError, chain, dks, maximum, residual, tat
from agents.shaping.graph import Activation
from tests.agents.shaping.oracle import SYMBOLIC, conditions

A = Activation()
RESNET_101 = tuple(
    itertools.chain(
        *(residual((A, A, A), 0.6, (A,) if i == 0 else ()) for group in (3, 4, 23, 3) for i in range(group)),
        (A,),
    )
)


def blocks(count, weight):
    """Basic residual blocks, then the last activation."""
    return tuple(itertools.chain(*(residual((A, A), weight) for _ in range(count)), (A,)))


@pytest.mark.parametrize(
    ("depth", "slope", "gain"),
    [
        (49, 0.4259071946, 1.3011191752),
        (100, 0.5704395324, 1.2284042441),
        (151, 0.6386479139, 1.1918827707),
    ],
)
def test_published_slopes(depth, slope, gain):
    """Those of kfac-jax's LReLUNet-50, -101 and -152."""
    shape = tat("leaky_relu", chain(depth))
    assert shape.slope == pytest.approx(slope, abs=1e-8)
    assert shape.gamma == pytest.approx(gain, abs=1e-8)


@pytest.mark.parametrize(
    ("method", "name", "published"),
    [
        (dks, "softplus", (0.1876100817, 0.4068806344, 8.8786725437, -0.9213466151)),
        (dks, "tanh", (0.0746107306, 0.5566915200, 18.0026359644, -0.5034378769)),
        (dks, "gelu", (0.0704325313, 0.2594892979, 20.2115890232, -0.1581537896)),
        (tat, "tanh", (0.0580205219, 0.5218639804, 22.3606626376, -0.4796430704)),
        (tat, "softplus", (0.1501148979, 0.5374599901, 10.5488018788, -0.9964810145)),
        (dks, "leaky_relu", (1.0, 0.0, 1.0651832706, -0.0494186930)),
        (tat, "leaky_relu", (1.0, 0.0, 1.1969965498, 0.0)),
    ],
)
def test_published_rows(method, name, published):
    """Those of the published package's own tests: ResNet-101, shortcut weight .6, ζ 1.2, η .75, τ .2."""
    shape = dks(name, RESNET_101, zeta=1.2) if method is dks else tat(name, RESNET_101, eta=0.75, tau=0.2)
    np.testing.assert_allclose((shape.alpha, shape.beta, shape.gamma, shape.delta), published, rtol=1e-6)
    if name == "leaky_relu":
        assert shape.slope == pytest.approx({dks: 0.8761257073, tat: 0.6291800290}[method], rel=1e-8)


GRAPHS = {
    "plain 10": chain(10),
    "plain 50": chain(50),
    "plain 150": chain(150),
    "24 blocks, w .5": blocks(24, 0.5),
    "75 blocks, w .9": blocks(75, 0.9),
    "5 blocks, w .8": blocks(5, 0.8),
}
SMOOTH = [name for name in SYMBOLIC if name not in ("leaky_relu", "selu")]


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", SYMBOLIC)
def test_dks_conditions(name, graph):
    items = GRAPHS[graph]
    begin = time.process_time()
    shape = dks(name, items)
    assert time.process_time() - begin < 2
    found = conditions(name, shape)
    assert found["Q"] == pytest.approx(1, abs=1e-8)
    assert found["Q'"] == pytest.approx(1, abs=1e-8)
    assert found["C0"] == pytest.approx(0, abs=1e-8)
    assert maximum(items, 1.0, lambda x: found["C'"] * x) == pytest.approx(1.5, abs=1e-6)
    # The local slope is the condition that was solved for; over the graph its error is multiplied by the depth.
    assert found["C'"] == pytest.approx(slope_of(items), abs=1e-8)


def slope_of(items, target=1.5):
    low, high = 1.0, 2.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if maximum(items, 1.0, middle.__mul__) < target else (low, middle)
    return low


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", SMOOTH)
def test_tat_conditions(name, graph):
    items = GRAPHS[graph]
    begin = time.process_time()
    shape = tat(name, items)
    assert time.process_time() - begin < 2
    found = conditions(name, shape)
    assert found["Q"] == pytest.approx(1, abs=1e-8)
    assert found["Q'"] == pytest.approx(1, abs=1e-8)
    assert found["C'"] == pytest.approx(1, abs=1e-8)
    # Curvatures of a chain of slope 1 add up.
    assert maximum(items, 0.0, lambda x: x + found["C''"]) == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("relu", "leaky_relu", "selu", "square", *SYMBOLIC)])
def test_other_named_functions(name):
    for shape in (dks(name, chain(50)), tat(name, chain(50))):
        maps = LocalMaps(shape.of(FUNCTIONS[name]))
        assert float(maps.q(1.0)) == pytest.approx(1, abs=1e-8)
        assert maps.q_slope == pytest.approx(1, abs=1e-8)


def test_tat_prefers_solutions_that_are_not_steep():
    """With the sigmoid's own largest slope of 1/4 in the rule, there is a solution that passes it."""
    for name, steepest in (("sigmoid", 0.25), ("tanh", 1.0)):
        shape = tat(name, chain(50))
        assert shape.alpha * shape.gamma * steepest < 2


def test_rectifier_has_three_of_the_conditions():
    for depth in (50, 1):
        maps = LocalMaps(dks("relu", chain(depth)).of(FUNCTIONS["relu"]))
        assert float(maps.q(1.0)) == pytest.approx(1, abs=1e-8)
        assert maps.c_zero == pytest.approx(0, abs=1e-8)
        assert maps.c_slope**depth == pytest.approx(1.5, abs=1e-6)


def test_functions_of_ones_own():
    def kinked(x):
        return torch.tanh(x) + 0.2 * torch.relu(x - 0.5)

    shape = dks(kinked, chain(20), kinks=(0.5,))
    u = np.linspace(-10, 10, 2_000_001)
    w = np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi) * (u[1] - u[0])
    values = shape.of(Function("kinked", kinked, (0.5,)))(torch.from_numpy(u)).numpy()
    assert (values**2 * w).sum() == pytest.approx(1, abs=1e-6)
    assert (values * w).sum() == pytest.approx(0, abs=1e-6)
    assert ((np.gradient(values, u)) ** 2 * w).sum() == pytest.approx(1.5 ** (1 / 20), abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dks("tanh", chain(10), zeta=1.0), "zeta 1.0"),
        (lambda: dks("mish", chain(10)), "'mish': expected one of tanh"),
        (lambda: dks(torch.log, chain(10)), "finite"),
        (lambda: dks(torch.sum, chain(10)), "elementwise"),
        (lambda: tat("leaky_relu", chain(10)), r"at most 0\.87153"),
        (lambda: tat("leaky_relu", chain(10), eta=1.0), "eta 1.0"),
        (lambda: tat("tanh", chain(10), tau=0), "tau 0"),
        (lambda: tat("relu", chain(10)), "relu: its slope jumps"),
        (lambda: tat("selu", chain(10)), "selu: its slope jumps"),
        (lambda: dks("leaky_relu", chain(1)), r"at most 1\.46694"),
        (lambda: dks("square", chain(10)), "square: no constants"),
        (lambda: tat("square", chain(10)), "square: no constants"),
        (lambda: dks("tanh", ()), "empty graph"),
    ],
)
def test_refused(call, message):
    begin = time.process_time()
    with pytest.raises(ShapingError, match=message):
        call()
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_solves_where_no_gradients_are_kept(mode):
    with mode():
        assert dks("tanh", chain(33)) == dks("tanh", chain(33))
        assert tat("elu", chain(33)).alpha > 0


def test_eta_that_is_just_reachable():
    assert tat("leaky_relu", chain(13)).slope == pytest.approx(0.0, abs=0.1)


def test_imports_only_torch_and_numpy():
    """Of ours nothing but itself, and no scipy even where it is installed."""
    code = (
        "import sys, torch, numpy; before = set(sys.modules); import agents.shaping; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'torch', 'numpy'})); "
        "print(*sorted(name for name in sys.modules if name.startswith(('agents.', 'env', 'maze_gen', 'experiments'))))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    brought, ours = out.stdout.splitlines()
    assert brought == "['agents']"
    assert all(name.startswith("agents.shaping") for name in ours.split())
