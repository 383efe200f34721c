"""Checkpoints: descriptions and tensors changed, with and without their checksum made anew; loaded, restored and trained on."""

import dataclasses
import functools
import json
import math
import tempfile
import warnings
from pathlib import Path
from random import Random
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from agents.checkpoint import TASK, checksum, load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS
from agents.trainer import Budget, Trainer, Training
from env.painting.registry import make_painting
from env.task_io import digest_of, read_task
from experiments.run_log import RunLog
from maze_gen.errors import InputError, Note
from tests.fuzz import odd
from tests.fuzz.environments import task

PAINTER = "painter-canvas"
TRAINED = ("nav-l", "nav-rd2", "nav-mhv", "nav-v", PAINTER)
"""Together they have every kind of state that a checkpoint of a worker can hold."""


@functools.cache
def _base(agent: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(description, tensors) of a checkpoint in the middle of a training."""
    preset, played = ("painter", make_painting("redraw-digits")) if agent == PAINTER else ("fast", task())
    settings = dataclasses.replace(PRESETS[preset], num_envs=2, unroll_length=5, minibatches=2, epochs=1, precision="float32")
    with tempfile.TemporaryDirectory() as folder:
        log = RunLog(Path(folder), 0)
        training = Training("small", AGENTS[agent], settings, preset, played, "embedded", 5, 1, serial=True)
        trainer = Trainer(training, Budget(frames=400), [log])
        trainer.train()
        path = Path(folder) / "a.safetensors"
        save_checkpoint(path, trainer.checkpoint(with_workers=True))
        log.close()
        with safetensors.safe_open(str(path), framework="pt") as file:
            content = json.loads(file.metadata()["knossos"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    return content, tensors


def _tensor(values: Tensor, random: Random) -> Tensor:
    if random.random() < 0.05:
        return values.to(torch.bfloat16)
    return torch.from_numpy(odd.array(values.numpy(), random).copy())


def _with_digest(content: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Makes the mazes' digest fit the mazes, where they are some."""
    mazes = {name.removeprefix(TASK): part for name, part in tensors.items() if name.startswith(TASK)}
    if content.get("domain") != "navigation":
        return
    if any(part.dtype == torch.bfloat16 for part in mazes.values()):
        # NumPy has no such type: these are no mazes.
        return
    arrays = {name: part.numpy() for name, part in mazes.items()}
    try:
        read_task(content["task"], arrays, "fuzz")
    except InputError as error:
        if "its mazes are not those" in str(error):
            with_any = {**content["task"]}
            content["task"] = with_any | {"digest": _digest(with_any, arrays)}
    except Exception:
        return


def _digest(rules: dict[str, Any], arrays: dict[str, Any]) -> str:
    from env import task_io

    read = task_io.from_json(task_io._Rules, rules, "fuzz")
    return digest_of(task_io._task(read, arrays, "fuzz"))


def run(random: Random, folder: Path) -> None:
    """Writes a checkpoint that is wrong somewhere, loads it, and trains it further."""
    content, tensors = _base(random.choice(TRAINED))
    content, tensors = json.loads(json.dumps(content)), dict(tensors)
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        pick = random.random()
        if pick < 0.5:
            changed = odd.changed(content, random)
            content = changed if isinstance(changed, dict) else content
        else:
            name = random.choice(sorted(tensors))
            if random.random() < 0.1:
                del tensors[name]
            elif random.random() < 0.05:
                tensors[f"{name.partition('/')[0]}/{random.choice(('x', '7.own.rounds', '0.acting.x', '00.x', '²'))}"] = (
                    torch.zeros(2)
                )
            else:
                tensors[name] = _tensor(tensors[name], random)
    if random.random() < 0.9 and isinstance(content.get("checksum"), str):
        content["checksum"] = checksum(tensors)
    if random.random() < 0.9 and isinstance(content.get("task"), dict):
        _with_digest(content, tensors)
    text = json.dumps(content)
    if random.random() < 0.05:
        text = random.choice((text[:-3], "[" * 100_000, "null", "[]", "1e999", text.replace("1", "1e999", 1), '{"a":' * 50_000))
    saved = safetensors.torch.save(tensors, {"knossos": text.encode("utf-8", "replace").decode()})
    if random.random() < 0.1:
        damaged = bytearray(saved)
        for _ in range(random.choice((1, 4))):
            damaged[random.choice((random.randrange(len(damaged)), random.randrange(200)))] = random.randrange(256)
        saved = bytes(damaged)
    path = folder / "a.safetensors"
    path.write_bytes(saved)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        checkpoint = load_checkpoint(path)
        checkpoint.model()
        if checkpoint.config.num_envs > 16 or checkpoint.config.unroll_length > 100 or checkpoint.config.epochs > 4:
            return
        training = Training(
            checkpoint.agent_name,
            checkpoint.agent,
            checkpoint.config,
            checkpoint.preset,
            checkpoint.task,
            checkpoint.backend,
            checkpoint.seed,
            1,
            serial=True,
            earlier=checkpoint,
        )
        rounds: list[int] = []
        log = RunLog(folder / "run", 0)
        try:
            trainer = Trainer(training, Budget(frames=checkpoint.frames + 10**6), [log])
            trainer.train(lambda: bool(rounds.append(1)) or len(rounds) > 1)
        finally:
            log.close()
        assert math.isfinite(trainer.progress.frames)
