"""Workers in one process and in several: the same learning, and no way to hang."""

import functools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from agents.config import AGENTS, TrainConfig
from agents.learning.parameter_store import ParameterStore
from agents.model import FlatParameters
from agents.runtime.errors import WorkerError
from agents.runtime.processes import ProcessRuntime
from agents.runtime.serial import SerialRuntime
from agents.runtime.worker import WorkerSpec, initial_model
from env.backends import make_batch
from env.registry import make_task
from maze_gen.errors import Note
from tests.agents.worlds import CountingEnv, counting_task

ROOT = Path(__file__).parents[2]
CONFIG = TrainConfig(num_envs=4, unroll_length=5)


class BrokenEnv(CountingEnv):
    """Breaks at its seventh step."""

    def step(self, actions):
        if len(self.actions) == 6:
            raise ValueError("the seventh step")
        return super().step(actions)


def tiny_task():
    return replace(make_task("static-small", observation_size=42), episode_seconds=2)


def tiny_worlds(task, num_envs, observe):
    """Worlds of our engine, whose state can be saved."""
    return make_batch(task, num_envs, observe=observe)


def make(runtime, workers, make_env=CountingEnv, config=CONFIG, task=None):
    agent, task = AGENTS["nav-d1d2l"], task or counting_task()
    store = ParameterStore(config, FlatParameters(initial_model(agent, task.spec(), config, seed=0)))
    specs = [WorkerSpec(agent, config, task, make_env, 0, index) for index in range(workers)]
    return runtime(specs, store), store


def collect(runtime, count, seconds=60.0):
    reports, deadline = [], time.monotonic() + seconds
    while len(reports) < count:
        assert time.monotonic() < deadline, "no reports"
        reports += runtime.poll(0.5)
    return reports


@pytest.fixture
def started():
    """Starts process runtimes and stops them whatever happens."""
    runtimes = []

    def start(*arguments, **named):
        runtime, store = make(ProcessRuntime, *arguments, **named)
        runtimes.append(runtime)
        return runtime, store

    yield start
    for runtime in runtimes:
        runtime.stop()


def stop_whole(runtime):
    """Returns at all, and leaves no process."""
    runtime.stop()
    assert not any(psutil.pid_exists(process.pid) for process in runtime.processes)


def test_a_minibatch_has_a_world_at_least():
    runtime, _ = make(SerialRuntime, 1)
    (report,) = runtime.poll(0)
    assert report.metrics.gradients == CONFIG.epochs * CONFIG.minibatches
    runtime, _ = make(SerialRuntime, 1, config=replace(CONFIG, num_envs=3, minibatches=8))
    (report,) = runtime.poll(0)
    assert report.metrics.gradients == CONFIG.epochs * 3


def test_one_process_learns_what_the_serial_mode_learns(started):
    serial, store = make(SerialRuntime, 1)
    first = store.parameters.clone()
    expected = collect(serial, 4)
    assert not torch.equal(first, store.parameters)
    runtime, _ = started(1)
    got = collect(runtime, 4)[:4]
    for mine, theirs in zip(expected, got, strict=True):
        assert mine.steps == theirs.steps == 20
        assert mine.episodes == theirs.episodes
        for name, value in mine.metrics.means.items():
            assert theirs.metrics.means[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_workers_share_parameters_and_statistics(started):
    runtime, store = started(2)
    first = store.parameters.clone()
    # One may have begun long before the other, where processors are busy.
    reports = until(runtime, lambda reports: len(reports) >= 8 and {report.worker for report in reports} == {0, 1})
    reports += runtime.stop()
    gradients = sum(report.metrics.gradients for report in reports)
    # Both workers' updates are in the shared count; only those of a chunk that was cut short were not reported.
    updates = int(store.optimizer.statistics["updates"])
    assert gradients <= updates <= gradients + 2 * CONFIG.epochs * CONFIG.minibatches
    assert not torch.equal(first, store.parameters)
    assert torch.isfinite(store.parameters).all()


def until(runtime, condition, seconds=60.0):
    reports, deadline = [], time.monotonic() + seconds
    while not condition(reports):
        assert time.monotonic() < deadline, "it never happened"
        reports += runtime.poll(0.2)
    return reports


def test_a_killed_worker_is_named_and_replaced(started):
    runtime, store = started(2)
    until(runtime, lambda reports: {report.worker for report in reports} == {0, 1})
    victim = runtime.processes[1]
    os.kill(victim.pid, signal.SIGKILL)
    words = rf"worker 1 \(process {victim.pid}\), .* after its last report, was ended by signal SIGKILL; it is replaced"
    with pytest.warns(Note, match=words):
        until(runtime, lambda reports: runtime.processes[1].pid != victim.pid)
    # The others never stopped, and the new one reports.
    reports = until(runtime, lambda reports: {report.worker for report in reports} == {0, 1})
    assert {report.worker for report in reports} == {0, 1}
    stop_whole(runtime)
    assert torch.isfinite(store.parameters).all()


def test_the_third_death_within_a_minute_ends_the_training(started):
    runtime, _ = started(1)

    def kill():
        os.kill(runtime.processes[0].pid, signal.SIGKILL)
        runtime.processes[0].join()
        runtime.poll(0.1)

    for _ in range(2):
        with pytest.warns(Note, match="replaced"):
            kill()
    with pytest.raises(WorkerError, match="SIGKILL; the third time within 60 s"):
        kill()
    stop_whole(runtime)


def test_a_worker_that_is_killed_with_the_lock_in_its_hand_hangs_nobody(started, monkeypatch):
    monkeypatch.setattr("agents.learning.parameter_store.LOCK_SECONDS", 0.2)
    runtime, store = started(2)
    collect(runtime, 2)
    assert store._lock.acquire(timeout=5)
    victim = runtime.processes[0]
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.warns(Note, match="SIGKILL"):
        until(runtime, lambda reports: runtime.processes[0].pid != victim.pid)
    collect(runtime, 4)
    stop_whole(runtime)


# On a busy machine the other one may seem to stand still, too.
@pytest.mark.filterwarnings("ignore:worker 1 .*stood still")
def test_a_worker_that_stands_still_is_replaced(started, monkeypatch):
    monkeypatch.setattr("agents.runtime.processes.STALL_SECONDS", 8.0)
    monkeypatch.setattr("agents.runtime.processes.STALL_ROUNDS", 1)
    runtime, _ = started(2)
    until(runtime, lambda reports: {report.worker for report in reports} == {0, 1})
    victim = runtime.processes[0]
    os.kill(victim.pid, signal.SIGSTOP)
    with pytest.warns(Note, match=rf"worker 0 \(process {victim.pid}\), .*stood still"):
        until(runtime, lambda reports: runtime.processes[0].pid != victim.pid)
    assert not psutil.pid_exists(victim.pid)
    stop_whole(runtime)


def test_states_come_between_two_rounds_and_at_the_end(started, monkeypatch):
    monkeypatch.setattr("agents.runtime.processes.STOP_SECONDS", 30.0)
    runtime, _ = started(2, make_env=tiny_worlds, task=tiny_task())
    collect(runtime, 2)
    states = runtime.states(30.0)
    assert set(states) == {0, 1}
    reports = until(runtime, lambda reports: len(reports) >= 4)
    runtime.stop()
    later = runtime.states(0.0)
    assert set(later) == {0, 1}
    assert all(int(later[index]["own.rounds"]) >= int(states[index]["own.rounds"]) for index in later)
    assert reports


def test_a_worker_that_is_stopped_does_not_hang_the_end(started):
    """A frozen process can't answer: it is ended."""
    runtime, _ = started(1)
    collect(runtime, 1)
    os.kill(runtime.processes[0].pid, signal.SIGSTOP)
    stop_whole(runtime)


def test_an_error_in_a_worker_comes_with_its_cause(started):
    runtime, _ = started(1, make_env=BrokenEnv)
    with (
        pytest.raises(WorkerError, match=r"worker 0 raised ValueError: the seventh step; the third time within 60 s"),
        pytest.warns(Note, match="replaced"),
    ):
        collect(runtime, 10_000)
    stop_whole(runtime)


PARENT = """
import time
from agents.runtime.processes import ProcessRuntime
from tests.agents.test_runtime import collect, make

if __name__ == "__main__":
    runtime, store = make(ProcessRuntime, 2)
    collect(runtime, 2)
    print(*(process.pid for process in runtime.processes), flush=True)
    while True:
        runtime.poll(1.0)
"""


def test_a_parent_that_is_killed_takes_its_workers_with_it(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=5)
    # Nobody may be there to collect a dead orphan in a container without an init.
    assert all(worker.status() == psutil.STATUS_ZOMBIE for worker in alive)


def test_a_program_from_standard_input_has_workers(started, monkeypatch):
    """`python - < program`: there is no file that a worker could execute again."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.setattr(main, "__file__", "<stdin>", raising=False)
    runtime, _ = started(1)
    assert collect(runtime, 1)[0].steps == 20
    assert main.__file__ == "<stdin>"


def test_factories_can_be_sent_to_a_worker(started):
    runtime, _ = started(1, make_env=functools.partial(CountingEnv, shorter=3))
    assert collect(runtime, 1)[0].steps == 20
