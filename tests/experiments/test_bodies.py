"""Any body is analysed: layers are those that the core names, whatever it names them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents import config
from agents.checkpoint import Checkpoint, load_checkpoint
from agents.config import AgentConfig
from agents.networks import cores
from agents.networks.cores import Core, CoreInput
from env.registry import make_task
from experiments.analysis import decoders
from experiments.analysis.activations import CELL_STATE, DEPTH_HEADS, TRUE_DEPTH, VALUE, record_activations
from experiments.analysis.head_outputs import LOOP, LOOP_LABEL, POSITION, POSTERIOR
from experiments.analysis.place_cells import place_fields
from experiments.analysis.playback import Playback
from experiments.analysis.position import decode_positions
from experiments.analysis.recorder import Pictures
from experiments.decode import decode
from maze_gen.text import read_maze
from tests.experiments.synthetic import ring, ring_task, untrained

MEMORY, MIXED = "value", "leaky memory (no one knows this name)"
"""Names of layers; one is also the name of a signal."""


class LeakyCore(Core):
    """A leaky sum of the features, and a layer over it."""

    def __init__(self, size: CoreInput) -> None:
        super().__init__()
        self.width = 24
        self.layer_widths = {MEMORY: 40, MIXED: 24}
        self.enter = nn.Linear(size.features, 40)
        self.mix = nn.Linear(40, 24)

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, 40),)

    def step(self, features: Tensor, inputs: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        memory = 0.9 * state[0] + self.enter(features)
        return torch.tanh(self.mix(memory)), (memory,)

    def unroll(self, features: Tensor, inputs: Any, state: tuple[Tensor, ...], starts: Tensor) -> Tensor:
        raise NotImplementedError

    def layers(self, output: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {MEMORY: state[0], MIXED: output}


@pytest.fixture
def leaky(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Checkpoint:
    monkeypatch.setitem(cores.CORES, "leaky", LeakyCore)
    monkeypatch.setattr(config, "AGENTS", {**config.AGENTS, "leaky": AgentConfig("leaky", ("position",))})
    return load_checkpoint(untrained(tmp_path / "agent.safetensors", "leaky", ring_task(4)))


def test_a_body_of_ones_own_is_decoded_layer_by_layer(leaky: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "LEAST_UPDATES", 10)
    trajectories = record_activations(leaky, Playback(leaky.task, 4, threads=1), pictures=Pictures((), 10))
    assert list(trajectories.layers) == ["encoder", MEMORY, MIXED]
    assert [values.shape[-1] for values in trajectories.layers.values()] == [256, 40, 24]
    assert trajectories.signals[VALUE].shape == (4, 60)
    assert CELL_STATE not in trajectories.signals
    # The memory is the leaky sum of what the layer below enters: recomputed from the recorded encoder.
    model = leaky.model().network.core
    with torch.no_grad():
        entered = model.enter(torch.from_numpy(trajectories.layers["encoder"].astype(np.float32))).numpy()  # type: ignore[operator]
    expected = np.zeros_like(entered)
    for step in range(60):
        expected[:, step] = (0.9 * expected[:, step - 1] if step else 0) + entered[:, step]
    np.testing.assert_allclose(trajectories.layers[MEMORY], expected, atol=0.02, rtol=0.01)
    found = decode_positions(trajectories, threads=1)
    assert [result.name for result in found.position[::2]] == [
        f"position from {name}, linear" for name in ("encoder", MEMORY, MIXED)
    ]
    assert found.own is not None
    assert place_fields(trajectories, MIXED).rates.shape == (24, 10)


@pytest.mark.parametrize(
    ("agent", "layers", "signals"),
    [
        ("ff", ["encoder"], {POSITION, POSTERIOR}),
        ("lstm", ["encoder", "LSTM"], {CELL_STATE, POSITION, POSTERIOR}),
        ("nav-l", ["encoder", "LSTM 1", "LSTM 2"], {CELL_STATE, POSITION, POSTERIOR, LOOP}),
        (
            "nav-d1d2l",
            ["encoder", "LSTM 1", "LSTM 2"],
            {CELL_STATE, POSITION, POSTERIOR, LOOP, *DEPTH_HEADS.values()},
        ),
    ],
)
def test_what_is_recorded_of_each_agent(agent: str, layers: list[str], signals: set[str], tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", agent, ring_task(1)))
    found = record_activations(checkpoint, Playback(checkpoint.task, 2, threads=1), steps=5)
    assert list(found.layers) == layers
    others = {name for name in found.signals if not name.startswith("layer/")}
    assert others == {VALUE, TRUE_DEPTH, LOOP_LABEL, *signals}
    assert found.signals[POSTERIOR].shape == (2, 5, 10)
    assert found.signals[POSTERIOR].astype(float).sum(-1) == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(found.signals[POSITION], found.signals[POSTERIOR].argmax(-1))
    for name in DEPTH_HEADS.values():
        if name in found.signals:
            assert (found.signals[name].dtype, found.signals[name].shape) == (np.uint8, (2, 5, 64))


def test_an_agent_that_sees_depth_is_recorded(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", "nav-rgbd", ring_task(1)))
    found = record_activations(checkpoint, Playback(checkpoint.task, 2, threads=1), steps=5)
    assert list(found.layers) == ["encoder", "LSTM 1", "LSTM 2"]


def test_all_of_the_analysis_takes_it_in_many_mazes_too(
    leaky: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "LEAST_UPDATES", 10)
    other = read_maze("***********\n*G        *\n* ******* *\n*         *\n***********", "thin")
    task = replace(ring_task(2), mazes=(ring(), other), split="train")
    items = decode(leaky, Playback(task, 4, seed=1), tmp_path / "board")
    names = [item.name for item in items]
    assert "decoding the cell from each layer" in names
    assert MIXED in names
    assert not any("map of" in name for name in names)


def test_a_position_decoder_of_another_maze_is_not_read(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", "ff", ring_task(1)))
    other = make_task("static-small", observation_size=42)
    found = record_activations(checkpoint, Playback(other, 1, threads=1), steps=3)
    assert POSITION not in found.signals
    assert POSTERIOR not in found.signals
