"""Several threads and processes with one engine: it works, or one clear error is raised; nothing hangs."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest

from env.engine.engine import Engine
from env.task import Task
from maze_gen.catalogue import catalogue_maze
from maze_gen.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")


def small(seconds: int = 60) -> Task:
    return Task("small", (catalogue_maze("static-small"),), episode_seconds=seconds)


def step_in_child(engine: Engine, connection) -> None:
    for _ in range(50):
        engine.step([2, 6, 7, 0])
    connection.send([array.copy() for array in engine.privileged.values()])
    clone = engine.clone()
    clone.step([2, 6, 7, 0])
    clone.close()
    engine.close()
    connection.send(threading.active_count())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_engine_works_in_a_forked_child(threads: int) -> None:
    context = multiprocessing.get_context("fork")
    with Engine(small(), 4, threads=threads) as engine:
        engine.reset(1)
        engine.step([0] * 4)
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=step_in_child, args=(engine, sender))
        child.start()
        try:
            assert receiver.poll(60), "the child hangs"
            found = receiver.recv()
            for _ in range(50):
                engine.step([2, 6, 7, 0])
            for array, own in zip(found, engine.privileged.values(), strict=True):
                np.testing.assert_array_equal(array, own)
            assert receiver.poll(60), "the child hangs"
            assert receiver.recv() == 1
            child.join(60)
            assert child.exitcode == 0
        finally:
            child.kill()
            child.join()


@pytest.mark.parametrize("threads", [1, 2])
def test_two_threads_at_once_are_refused_or_take_turns(threads: int) -> None:
    errors: list[str] = []
    with Engine(small(3600), 64, threads=threads) as engine:
        engine.reset(1)
        stop = time.monotonic() + 2.0

        def use() -> None:
            while time.monotonic() < stop:
                try:
                    engine.step(np.full(64, 2))
                except InputError as error:
                    errors.append(str(error))

        users = [threading.Thread(target=use) for _ in range(2)]
        for user in users:
            user.start()
        for user in users:
            user.join(30)
            assert not user.is_alive(), "a step hangs"
        assert errors
        assert all("another thread is using this batch of 'small'" in error for error in errors)
        engine.step(np.full(64, 2))


def test_a_fork_during_a_step_leaves_a_usable_engine() -> None:
    with Engine(small(3600), 64, threads=2) as engine:
        engine.reset(1)
        stop = threading.Event()

        def use() -> None:
            while not stop.is_set():
                engine.step(np.full(64, 2))

        user = threading.Thread(target=use)
        user.start()
        try:
            for _ in range(5):
                time.sleep(0.02)
                child = os.fork()
                if child == 0:
                    try:
                        engine.reset(2)
                        engine.step(np.full(64, 2))
                        os._exit(0)
                    finally:
                        os._exit(1)
                deadline = time.monotonic() + 60
                done = 0
                while not done and time.monotonic() < deadline:
                    done, status = os.waitpid(child, os.WNOHANG)
                    time.sleep(0.01)
                if not done:
                    os.kill(child, 9)
                    os.waitpid(child, 0)
                    pytest.fail("the child hangs")
                assert os.waitstatus_to_exitcode(status) == 0
        finally:
            stop.set()
            user.join()
