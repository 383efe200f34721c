"""Figures of a comparison: learning curves, kernels at initialisation, features of frames before any training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from agents.shaping import FUNCTIONS, LocalMaps, Shape, chain, dks, network_c, tat
from agents.shaping.kernels import measured, pairs, random_stack
from experiments.analysis.items import INK, QUIET, figure, pixels_of, png
from experiments.classification.data import Pictures, as_input
from experiments.classification.methods import Method
from experiments.classification.summary import Row, final_level, target
from experiments.classification.training import make_network
from experiments.options import write_file

Array = npt.NDArray[np.float64]

COLOURS = ("#2563c9", "#d0802a", "#2e9e6b", "#9a4fb0", "#c94040", "#5a6270", "#1f9ab0", "#8c6d31")
DASHES = ("-", "--", ":")
COSINES = np.linspace(-1, 1, 41)
MEASURED = np.array([-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 0.9, 0.99])
KERNEL_DEPTHS = (1, 10, 50, 100)
WIDTH, PAIRS, KERNEL_SEEDS = 256, 8, 2
FRAMES = 200
HE = Shape(gamma=2**0.5)
"""A rectifier with He's initialisation, whose factor √2 stands behind the function here."""


def write_curves(path: Path, rows: Sequence[Row], title: str) -> None:
    """Test accuracy over steps and over CPU seconds, mean and range over seeds; a pair of panels for each depth."""
    depths = sorted({row.method.depth for row in rows})
    with figure(15, 4.8 * len(depths) + 0.5, len(depths), 2, squeeze=False) as (made, panels):
        made.suptitle(f"{title}: accuracy on test frames, mean and range over seeds", x=0.01, ha="left")
        for depth, (by_steps, by_seconds) in zip(depths, panels, strict=True):
            chosen = [row for row in rows if row.method.depth == depth]
            for i, row in enumerate(chosen):
                look = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i // len(COLOURS) % len(DASHES)]}
                for axes, x in ((by_steps, row.steps), (by_seconds, row.steps * row.cost)):
                    axes.plot(x, row.accuracy, **look, label=f"{row.method.title}, rate {row.rate:g}")
                    axes.fill_between(x, row.low, row.high, color=look["color"], alpha=0.12, linewidth=0)
            for row in chosen:
                if target(rows, row) is row:
                    by_steps.axhline(final_level(row), color=INK, linestyle=":", linewidth=1)
            by_steps.set_xlabel("steps")
            by_seconds.set_xlabel("CPU seconds of training, one thread")
            for axes in (by_steps, by_seconds):
                axes.set_ylabel("accuracy")
                axes.set_title(f"depth {depth}")
                axes.set_xlim(left=0)
                axes.set_ylim(bottom=0)
            by_seconds.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.02, 0.5))
        write_file(path, png(pixels_of(made)))


def kernel_cases() -> dict[str, tuple[str, Shape]]:
    """What the kernel figure compares: functions of a plain network with 50 nonlinear layers, and a rectifier as it is."""
    items = chain(50)
    return {
        "DKS tanh": ("tanh", dks("tanh", items)),
        "DKS softplus": ("softplus", dks("softplus", items)),
        "TAT tanh": ("tanh", tat("tanh", items)),
        "TAT leaky ReLU": ("leaky_relu", tat("leaky_relu", items)),
        "ReLU, He": ("relu", HE),
    }


def predicted(function: str, shape: Shape, depth: int, cosines: Array) -> Array:
    """The global C map of a plain network, [K] → [K]."""
    return network_c(chain(depth), LocalMaps(shape.of(shape.function(FUNCTIONS[function]))), cosines)


def measured_cosines(function: str, shape: Shape, depths: Sequence[int], cosines: Array) -> Array:
    """The same of random networks of width 256 after each of `depths` layers, the mean over 8 pairs and 2 seeds, → [D, K]."""
    found = []
    for seed in range(KERNEL_SEEDS):
        stack = random_stack(function, shape, max(depths), WIDTH, seed=seed)
        x, y = pairs(cosines, PAIRS, WIDTH)
        # Two modules a layer.
        found.append([measured(stack[: 2 * depth], x, y)[0].mean(1) for depth in depths])
    return np.mean(found, axis=0)


def write_kernels(path: Path) -> None:
    """C maps of 1, 10, 50 and 100 layers, predicted and measured; the functions are shaped for 50 layers."""
    cases = kernel_cases()
    with figure(16, 4.6, 1, len(KERNEL_DEPTHS), sharey=True) as (made, panels):
        made.suptitle(
            "Cosine of two inputs' features at initialisation: predicted (lines), random networks (dots)", x=0.01, ha="left"
        )
        dots = {name: measured_cosines(function, shape, KERNEL_DEPTHS, MEASURED) for name, (function, shape) in cases.items()}
        for i, (depth, axes) in enumerate(zip(KERNEL_DEPTHS, panels, strict=True)):
            for colour, (name, (function, shape)) in zip(COLOURS, cases.items(), strict=False):
                axes.plot(COSINES, predicted(function, shape, depth, COSINES), color=colour, label=name)
                axes.plot(MEASURED, dots[name][i], "o", color=colour, markersize=4)
            axes.plot([-1, 1], [-1, 1], color=QUIET, linewidth=0.8, linestyle=":")
            axes.set_title(f"{depth} layer{'' if depth == 1 else 's'}")
            axes.set_xlabel("cosine of the inputs")
        panels[0].set_ylabel("cosine of the features")
        panels[-1].legend(fontsize=10, loc="center left", bbox_to_anchor=(1.02, 0.5))
        write_file(path, png(pixels_of(made)))


@torch.no_grad()
def feature_cosines(method: Method, pictures: Pictures) -> tuple[Array, float]:
    """Cosines of the final features of test frames before training, all pairs of different ones, and their mean square."""
    network = make_network(method, pictures, 0)
    features = network.features(as_input(pictures.test[:FRAMES], pictures.scale())).double()
    unit = torch.nn.functional.normalize(features, dim=1)
    upper = torch.triu_indices(len(unit), len(unit), 1)
    return (unit @ unit.T)[upper[0], upper[1]].numpy(), float(features.square().mean())


def write_features(path: Path, methods: Sequence[Method], pictures: Pictures) -> None:
    """Histograms of the cosines of untrained networks' final features: near 1 a network can't tell its inputs apart."""
    chosen = list({(m.kind, m.activation, m.shortcut, m.depth): m for m in reversed(methods)}.values())[::-1]
    images = as_input(pictures.test[:FRAMES], pictures.scale()).flatten(1).double()
    unit = torch.nn.functional.normalize(images, dim=1)
    upper = torch.triu_indices(len(unit), len(unit), 1)
    inputs = (unit @ unit.T)[upper[0], upper[1]].numpy()
    with figure(9, 1.1 * (len(chosen) + 1) + 1.2, len(chosen) + 1, 1, sharex=True) as (made, panels):
        made.suptitle("Cosines of pairs of frames, in the pixels and in the features of untrained networks", x=0.01, ha="left")
        labels = [("pixels", inputs, None), *((m.title.rsplit(",", 1)[0], *feature_cosines(m, pictures)) for m in chosen)]
        for axes, colour, (name, cosines, q) in zip(panels, (QUIET, *COLOURS * 3), labels, strict=False):
            axes.hist(cosines, bins=np.linspace(-1, 1, 101), color=colour)
            said = f"{name}: {cosines.mean():.2f} ± {cosines.std():.2f}" + ("" if q is None else f", mean square {q:.2g}")
            axes.set_title(said, fontsize=10)
            axes.set_yticks([])
        panels[-1].set_xlabel("cosine")
        write_file(path, png(pixels_of(made)))
