"""Episodes that are played block by block, each block as on a node of its own, are the same to the bit."""

import dataclasses
from pathlib import Path

import cloudpickle
import numpy as np

from agents.checkpoint import load_checkpoint
from experiments.analysis.activations import record_activations
from experiments.analysis.evaluation import evaluate
from experiments.analysis.playback import Playback
from experiments.analysis.recorder import Pictures
from tests.experiments.synthetic import ring_task, untrained


class Elsewhere:
    """`agents.cluster.jobs.ClusterJobs` without a cluster: what would cross the network is pickled, and jobs run backwards."""

    def __init__(self):
        self.jobs = 0

    def map(self, function, common, jobs, done):
        shipped, results = cloudpickle.dumps((function, common)), {}
        for number, job in reversed([*enumerate(jobs)]):
            there, what = cloudpickle.loads(shipped)
            results[number] = cloudpickle.loads(cloudpickle.dumps(there(what, job)))
            done(len(results))
        self.jobs += len(results)
        return [results[number] for number in range(len(results))]


def test_recordings_are_the_same_to_the_bit(tmp_path: Path):
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(4)))
    playback = Playback(checkpoint.task, 60, seed=5, threads=1)
    pictures = Pictures(episodes=(0, 24, 25, 59, 70), thumbnail_stride=7)
    here = record_activations(checkpoint, playback, pictures=pictures, steps=20)
    jobs = Elsewhere()
    there = record_activations(checkpoint, dataclasses.replace(playback, jobs=jobs), pictures=pictures, steps=20)
    assert jobs.jobs == 3
    for item in dataclasses.fields(here):
        mine, theirs = getattr(here, item.name), getattr(there, item.name)
        if isinstance(mine, dict):
            assert list(mine) == list(theirs)
            for name in mine:
                np.testing.assert_array_equal(mine[name], theirs[name], err_msg=str(name))
                assert mine[name].dtype == theirs[name].dtype
        elif isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=item.name)
            assert mine.dtype == theirs.dtype
        else:
            assert mine == theirs


def test_evaluations_are_the_same_to_the_bit(tmp_path: Path):
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(4)))
    playback = Playback(checkpoint.task, 30, seed=2, threads=1)
    texts: list[str] = []
    there = dataclasses.replace(playback, jobs=Elsewhere(), progress=texts.append)
    assert evaluate(checkpoint, there).as_json() == evaluate(checkpoint, playback).as_json()
    assert any("1 of 2 blocks" in text for text in texts)
