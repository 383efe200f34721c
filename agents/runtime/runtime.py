"""How workers run: one protocol, and one factory that makes a runtime with the parameters that its workers share."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from agents.config import AgentConfig, TrainConfig
from agents.learning.parameter_store import ParameterStore, StreamStore
from agents.learning.population_store import PopulationStore
from agents.model import FlatParameters
from agents.runtime.worker import Report, WorkerSpec, initial_model
from agents.state import State
from env.batch import WorldSpec
from maze_gen.errors import InputError


class Runtime(Protocol):
    """Runs workers on shared parameters."""

    def poll(self, timeout: float) -> list[Report]:
        """Reports that arrive within about `timeout` seconds; a runtime without processes of its own does a worker's round.

        Raises:
            WorkerError: a worker died or raised.
        """
        ...

    def states(self, timeout: float) -> dict[int, State]:
        """States of the workers by index, as they are between two rounds, of those that give one within `timeout` seconds.

        After `stop`, those with which the workers ended.
        """
        ...

    def stop(self) -> list[Report]:
        """Ends all workers, whatever state they are in; returns reports that weren't polled."""
        ...


@runtime_checkable
class WithFigures(Protocol):
    """A runtime that has something to show beside its workers' reports."""

    def figures(self) -> dict[str, float]:
        """Means since the last call by the names that TensorBoard shows."""
        ...


RUNTIMES = ("processes", "serial", "cuda", "cuda-serial")
"""Of one machine. `processes`: one a worker; `serial`: all workers in this process, one after the other; `cuda`: streams of a
GPU, with rollouts and gradients as CUDA graphs; `cuda-serial`: the same without graphs."""


def runtime_name(device: str, serial: bool) -> str:
    """The runtime for a device, or its variant for debugging."""
    return {("cpu", False): "processes", ("cpu", True): "serial", ("cuda", False): "cuda", ("cuda", True): "cuda-serial"}[
        device, serial
    ]


def make_store(name: str, config: TrainConfig, flat: FlatParameters) -> ParameterStore:
    """Parameters and optimiser where the workers of a runtime share them.

    Args:
        name: of the runtime.
        flat: the initial parameters.
    """
    return StreamStore(config, flat) if name.startswith("cuda") else ParameterStore(config, flat)


def make_population(agent: AgentConfig, spec: WorldSpec, config: TrainConfig, seed: int) -> PopulationStore:
    """As `make_store`, of the members of a population; the first one's initial parameters are those of a training without others.

    Raises:
        InputError: the agent isn't paid by a discriminator.
    """
    if not agent.reward:
        raise InputError(
            f"population {config.population}: its members share a discriminator, and this agent is paid by its worlds"
        )
    seeds = [seed, *(int(part) for part in np.random.SeedSequence([seed, 2]).generate_state(config.population - 1))]
    return PopulationStore(config, [FlatParameters(initial_model(agent, spec, config, one)) for one in seeds], seed)


def make_runtime(name: str, specs: Sequence[WorkerSpec], store: ParameterStore) -> Runtime:
    """Starts workers on this machine.

    Raises:
        InputError: an unknown name.
        WorkerError: they can't be started, e.g. because a GPU's memory is full.
    """
    makers: dict[str, Callable[[], Runtime]] = {
        "processes": lambda: _processes(specs, store),
        "serial": lambda: _serial(specs, store),
        "cuda": lambda: _cuda(specs, store, True),
        "cuda-serial": lambda: _cuda(specs, store, False),
    }
    if name not in makers:
        raise InputError(f"runtime {name!r}: expected one of {', '.join(RUNTIMES)}")
    return makers[name]()


# Imported where they are used: a training needs one of them.
def _processes(specs: Sequence[WorkerSpec], store: ParameterStore) -> Runtime:
    from agents.runtime.processes import ProcessRuntime

    return ProcessRuntime(specs, store)


def _serial(specs: Sequence[WorkerSpec], store: ParameterStore) -> Runtime:
    from agents.runtime.serial import SerialRuntime

    return SerialRuntime(specs, store)


def _cuda(specs: Sequence[WorkerSpec], store: ParameterStore, graphs: bool) -> Runtime:
    from agents.runtime.cuda import CudaRuntime

    return CudaRuntime(specs, store, graphs)
