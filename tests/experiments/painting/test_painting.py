"""Painters from the command line: trained, evaluated, painted with, and shown; and the measures against definitions."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agents.checkpoint import load_checkpoint, save_checkpoint
from agents.config import AGENTS, PRESETS
from agents.trainer import Budget, Trainer, Training
from env.painting import pictures
from env.painting.program import Stroke
from env.painting.registry import make_painting
from experiments import decode, evaluate, paint, quickstart, train
from experiments.painting.during_training import GalleryCallback
from experiments.painting.evaluation import baselines, painted
from experiments.painting.gallery import paint as paint_gallery
from experiments.painting.gallery import painter, random_painter
from experiments.painting.measures import Ruler
from experiments.painting.sheets import distance_along, grid, sequences
from tests.env.painting.conftest import write_characters

CONFIG = dataclasses.replace(PRESETS["painter"], num_envs=8, epochs=1, minibatches=1)


def trained(name: str, agent: str, frames: int = 64) -> Trainer:
    task = make_painting(name)
    config = dataclasses.replace(CONFIG, unroll_length=task.steps)
    training = Training(agent, AGENTS[agent], config, "painter", task, "embedded", 1, 1, serial=True)
    trainer = Trainer(training, Budget(frames=frames))
    trainer.train()
    return trainer


@pytest.fixture(scope="module", autouse=True)
def few_views() -> Iterator[None]:
    """A tenth of the views: what is tested here doesn't depend on how many there are."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pictures, "VIEWS", 200)
        pictures._of_set.cache_clear()
        yield
    pictures._of_set.cache_clear()


@pytest.fixture(scope="module")
def painters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("painters")
    paths = {}
    for name, agent in (("doodle-digits", "painter-canvas"), ("redraw-digits", "painter"), ("redraw-views", "painter")):
        paths[name] = folder / f"{name}.safetensors"
        save_checkpoint(paths[name], trained(name, agent).checkpoint())
    return paths


def call(module, *arguments: str) -> int:
    before, sys.argv = sys.argv, [module.__name__, *arguments]
    try:
        return module.main()
    finally:
        sys.argv = before


@pytest.mark.parametrize(("task", "agent"), [("doodle-digits", "painter-canvas"), ("parse-digits", "painter")])
def test_a_training_from_the_command_line(task, agent, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "LEAST_PAINTINGS", 40)
    arguments = [
        "--task",
        task,
        "--serial",
        "--workers",
        "1",
        "--num-envs",
        "4",
        "--frames",
        "128",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    assert call(train, *arguments, "--analysis-episodes", "2") == 0
    content = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert list(content["figures"])[:2] == [agent, "random"]
    assert content["split"] == "heldout"
    assert "data:image/png" in (tmp_path / "run" / "report.html").read_text()
    assert "painted by" in capsys.readouterr().out
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.agent_name == agent
    assert checkpoint.config.unroll_length == checkpoint.task.steps
    assert (
        call(
            train, "--resume", str(tmp_path / "run"), "--serial", "--workers", "1", "--frames", "256", "--analysis-episodes", "0"
        )
        == 0
    )
    assert load_checkpoint(tmp_path / "run").frames >= 256


def test_all_steps_in_one_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "LEAST_PAINTINGS", 40)
    arguments = ["--task", "doodle-digits", "--serial", "--workers", "1", "--num-envs", "4", "--frames", "64"]
    assert call(quickstart, *arguments, "--run-dir", str(tmp_path / "run"), "--episodes", "2") == 0
    assert (tmp_path / "run" / "report.html").exists()
    assert "go on with" in capsys.readouterr().out


def test_resuming_is_bit_identical(tmp_path):
    whole = trained("doodle-digits", "painter-canvas", 256).checkpoint()
    half = trained("doodle-digits", "painter-canvas", 128)
    save_checkpoint(tmp_path / "half", half.checkpoint(with_workers=True))
    earlier = load_checkpoint(tmp_path / "half")
    going_on = Trainer(dataclasses.replace(half.training, earlier=earlier), Budget(frames=256))
    going_on.train()
    for name, part in going_on.checkpoint().parameters.items():
        assert (part == whole.parameters[name]).all(), name


@pytest.mark.parametrize("name", ["doodle-digits", "redraw-views"])
def test_an_evaluation(name, painters, tmp_path, capsys):
    episodes = "40" if name == "doodle-digits" else "4"
    arguments = ["--checkpoint", str(painters[name]), "--episodes", episodes, "--json", str(tmp_path / "figures.json")]
    assert call(evaluate, *arguments) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    measure = "components" if name == "redraw-views" else "features"
    assert list(figures)[1:] == ["random", "greedy search", "blank", "mean picture", "real pictures"]
    best, worst = ("greedy search", "real pictures"), ("random", "blank")
    assert max(figures[label][measure] for label in best) < min(figures[label][measure] for label in worst)
    assert (figures["random"]["features"] is None) == (name == "redraw-views")
    assert (figures["blank"]["distance"] is None) == (name == "doodle-digits")
    out = capsys.readouterr().out
    assert ("features" in out) == (name == "doodle-digits")
    assert "collapsed" in out.splitlines()[5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--episodes", "1"], "--episodes 1"),
        (["--episodes", "1000000"], "1000000 paintings of 8 steps: needs at least 18.4 GB of memory"),
        (["--seed", "-1"], "--seed -1"),
        (["--split", "heldout"], "--split is for agents in mazes"),
        (["--geometry", "block"], "--geometry is for"),
        (["--backend", "lab"], "--backend is for"),
        (["--spawn-distance", "3"], "--spawn-distance is for"),
        (["--threads", "2"], "--threads is for"),
        (["--erase", "respawn"], "--erase is for"),
        (["--logdir", "x"], "--logdir is for"),
    ],
)
def test_options_that_mean_nothing_to_a_painter_are_refused(arguments, message, painters, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("env.memory.available_bytes", lambda: 16 << 30)
    assert call(evaluate, "--checkpoint", str(painters["doodle-digits"]), *arguments) == 2
    assert message in capsys.readouterr().err


def test_the_files_of_an_evaluation_come_before_its_table(painters, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(evaluate, "say", lambda text: written.append((tmp_path / "figures.json").exists()))
    arguments = ["--checkpoint", str(painters["doodle-digits"]), "--episodes", "40", "--json", str(tmp_path / "figures.json")]
    assert call(evaluate, *arguments) == 0
    assert written
    assert all(written)


def test_paintings_of_any_size_and_kind(painters, tmp_path, capsys):
    files = {ending: tmp_path / f"out.{ending}" for ending in ("png", "svg", "json", "gif")}
    options = [f"--{'video' if ending == 'gif' else ending}={path}" for ending, path in files.items()]
    assert call(paint, "--checkpoint", str(painters["doodle-digits"]), "--count", "3", "--size", "40", *options) == 0
    sheet = cv2.imread(str(files["png"]))
    assert sheet is not None
    assert sheet.shape == (44, 128, 3)
    assert files["svg"].read_text().startswith("<svg")
    assert files["gif"].stat().st_size > 100
    again = tmp_path / "again.png"
    assert call(paint, "--program", str(files["json"]), "--size", "40", "--png", str(again)) == 0
    picture = cv2.imread(str(again))
    assert picture is not None
    np.testing.assert_array_equal(picture, sheet[2:42, 2:42])


def test_a_picture_of_ones_own_is_the_target(painters, tmp_path, capsys):
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.png"
    cv2.imwrite(str(photo), np.full((90, 120, 3), 40, np.uint8))
    arguments = ["--checkpoint", str(painters["redraw-views"]), "--target", str(photo), "--count", "4", "--png", str(out)]
    assert call(paint, *arguments, "--size", "64") == 0
    assert "distance to the target" in capsys.readouterr().out
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --checkpoint PAINTER, or --program"),
        (["--checkpoint", "DOODLE"], "where to?"),
        (["--checkpoint", "DOODLE", "--png", "a.jpg"], r"a\.jpg: expected a name that ends in \.png"),
        (["--checkpoint", "DOODLE", "--target", "a.png", "--png", "b.png"], "paints after no target"),
        (["--checkpoint", "DOODLE", "--png", "b.png", "--size", "4"], "--size 4"),
        (["--checkpoint", "DOODLE", "--png", "b.png", "--brush", "crayon"], "brush 'crayon'"),
        (["--program", "none.json", "--png", "b.png"], r"none\.json: cannot be read"),
    ],
)
def test_what_can_not_be_painted(arguments, message, painters, tmp_path, capsys):
    os.chdir(tmp_path)
    named = [str(painters["doodle-digits"]) if word == "DOODLE" else word for word in arguments]
    assert call(paint, *named) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    import re

    assert re.search(message, error)


def test_commands_for_mazes_say_so(painters, capsys):
    assert call(decode, "--checkpoint", str(painters["doodle-digits"])) == 2
    assert "experiments.paint" in capsys.readouterr().err
    assert call(train, "--task", "doodle-digits", "--spawn-distance", "3") == 2
    assert "has no maze" in capsys.readouterr().err
    published = Path(__file__).parents[3] / "experiments" / "pretrained" / "static-small.safetensors"
    assert call(paint, "--checkpoint", str(published), "--png", "out.png") == 2
    assert "doesn't paint" in capsys.readouterr().err


def test_pictures_during_a_training(tmp_path):
    trainer = trained("redraw-digits", "painter")
    callback = GalleryCallback(tmp_path, minutes=0)
    callback.tick(trainer)
    assert list((tmp_path / "live").glob("events*"))


def test_galleries_and_sheets():
    task = make_painting("redraw-digits")
    gallery = paint_gallery(task, random_painter(5, 1), 5, 2)
    assert gallery.history.shape == (9, 5, 32, 32, 1)
    assert gallery.target is not None
    assert gallery.distance == pytest.approx(
        np.square(gallery.canvas / 255 - gallery.target / 255).mean((1, 2, 3)) * 100, rel=1e-4
    )
    assert distance_along(gallery)[-1] == pytest.approx(gallery.distance.mean(), rel=1e-4)
    sheet = sequences(gallery, count=3, scale=1)
    np.testing.assert_array_equal(sheet[2:34, -34:-2], gallery.canvas[0].repeat(3, 2))
    assert grid(gallery.canvas, 4).shape == (70, 138, 3)
    again = paint_gallery(task, painter(trained("redraw-digits", "painter").checkpoint(), 5, 3), 5, 2)
    np.testing.assert_array_equal(again.target, gallery.target)


def test_parses_of_ones_own_characters(tmp_path, capsys):
    write_characters(tmp_path, 300)
    task = make_painting("parse-characters", {"pictures": str(tmp_path), "steps": 6})
    found = baselines(Ruler(task.pictures), task, task.pictures, 8, 1)
    assert found["real pictures"].parse is None
    parses = [found[label].parse for label in ("random", "greedy search")]
    assert all(parse is not None and 0 <= parse.found <= 1 and parse.strokes > 0 for parse in parses)
    # A painter that is given the strokes finds all of them.
    gallery = paint_gallery(task, random_painter(8, 1), 8, 1)
    truth = [
        [Stroke(tuple(map(tuple, one.tolist())), 0.03, (1, 1), (0, 0, 0)) for one in task.pictures.strokes[index]]
        for index in gallery.picture
    ]
    parse = painted(dataclasses.replace(gallery, programs=[tuple(strokes) for strokes in truth])).parse
    assert parse is not None
    assert (parse.found, parse.strokes) == (1, 1)
