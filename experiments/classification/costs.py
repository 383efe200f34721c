"""CPU seconds of a training step of each method, measured side by side, so that what else the machine does falls on all alike."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from experiments.classification.data import Pictures, as_input
from experiments.classification.methods import RATES, Method
from experiments.classification.optimizers import burn_in, make_optimizer, train_step
from experiments.classification.training import make_network
from maze_gen.config_io import parse_json, read_as
from maze_gen.files import write_whole

ROUNDS = 20
"""Steps of each method, a multiple of K-FAC's periods."""


def measured_costs(
    path: Path, methods: Sequence[Method], pictures: Pictures, batch: int, tell: Callable[[str], None]
) -> dict[str, float]:
    """CPU seconds of a step by the methods' keys: those in the file, where it has all of them, else measured anew and written.

    Each round takes a step of every method. The cost is the median over rounds, for K-FAC the mean, since its steps differ.
    """
    with contextlib.suppress(OSError, ValueError):
        # What isn't there, or can't be read, is measured.
        found = read_as(dict[str, float], parse_json(path.read_text(encoding="utf-8"), str(path)), str(path))
        if all(found.get(method.key, 0) > 0 for method in methods):
            return found
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        costs = _measure(methods, pictures, batch, tell)
    finally:
        torch.set_num_threads(threads)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(costs, indent=1) + "\n").encode())
    return costs


def _measure(methods: Sequence[Method], pictures: Pictures, batch: int, tell: Callable[[str], None]) -> dict[str, float]:
    scale = pictures.scale()
    runs = []
    for method in methods:
        network = make_network(method, pictures, 0)
        # The smallest rate, as a diverging network may cost another time.
        runs.append((method, network, make_optimizer(method.optimizer, network, RATES[method.optimizer][0])))
    seconds: dict[str, list[float]] = {method.key: [] for method in methods}
    for step in range(ROUNDS + 1):
        tell(f"cost of a step: round {step} of {ROUNDS}")
        for method, network, optimizer in runs:
            images, labels = pictures.batch(0, step, batch)
            inputs, targets = as_input(images, scale), torch.from_numpy(labels)
            if step == 0:
                burn_in(network, optimizer, inputs, pictures.classes)
            begin = time.process_time()
            train_step(network, optimizer, inputs, targets, pictures.classes)
            # The first round warms up; K-FAC's is its dearest, and belongs to its period.
            if step > 0 or method.optimizer == "kfac":
                seconds[method.key].append(time.process_time() - begin)
    return {
        method.key: float(np.mean(seconds[method.key][:ROUNDS]) if method.optimizer == "kfac" else np.median(seconds[method.key]))
        for method in methods
    }
