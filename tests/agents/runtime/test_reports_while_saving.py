"""Reports that arrive while a checkpoint waits for the workers' states are taken once each, later."""

import multiprocessing
from types import SimpleNamespace
from typing import Any

from agents.runtime.processes import ProcessRuntime


class SlowMember:
    """A worker that reports at every look, and answers with its state at the fourth only."""

    def __init__(self) -> None:
        self.pipe, self._other = multiprocessing.Pipe()
        sentinel, self._kept = multiprocessing.Pipe()
        self.process: Any = SimpleNamespace(sentinel=sentinel, exitcode=None)
        self.spec: Any = SimpleNamespace(index=0)
        self.stalled, self.answered, self.state, self.looks = False, False, {"own": 1}, 0
        self._other.send("something to read")

    def receive(self) -> list[Any]:
        self.looks += 1
        self.answered = self.looks >= 4
        return [f"report {self.looks}"]


def test_each_is_taken_once():
    runtime: Any = object.__new__(ProcessRuntime)
    runtime._asked, runtime._stopped = multiprocessing.get_context("spawn").Value("q", 0), False
    runtime._pending, runtime.members = ["report 0"], [SlowMember()]
    assert runtime.states(5.0) == {0: {"own": 1}}
    assert runtime._pending == [f"report {number}" for number in range(5)]
    assert runtime.poll(0)[:5] == [f"report {number}" for number in range(5)]
    assert runtime._pending == []
