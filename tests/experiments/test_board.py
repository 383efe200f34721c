"""TensorBoard of a training: the return first, settings and meanings as text, a row in the table of hyperparameters."""

import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util.tensor_util import make_ndarray

from agents.config import AGENTS, PRESETS, agent_config, preset
from agents.model import AgentModel
from agents.trainer import Training
from experiments.analysis.evaluation import Evaluation
from experiments.analysis.metrics import Result
from experiments.board import TrainingBoard, settings_of
from experiments.evaluation_board import write_evaluation
from experiments.tags import EVALUATION_FOLDER, HELD_OUT_RETURN, MEAN_RETURN, OWN_RETURN, tag_of
from maze_gen.errors import InputError
from tests.experiments.synthetic import ring_task

DATA: Any = plugin_data_pb2
"""Its members are made at run time."""
STATISTICS = ring_task().spec().statistics


def training() -> Training:
    return Training("nav-d1d2l", AGENTS["nav-d1d2l"], PRESETS["fast"], "fast", ring_task(), "embedded", 7, 2)


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def texts(found: EventAccumulator, tag: str) -> list[str]:
    return [str(make_ndarray(event.tensor_proto).item(), "utf-8") for event in found.Tensors(tag)]  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> EventAccumulator:
    folder = tmp_path_factory.mktemp("run")
    made = TrainingBoard(folder, 0)
    made.describe(training(), 1e9, 0)
    made.write({"loss/entropy": 2.0, "speed/memory_mb": 500.0}, 400)
    made.write({"episode/return": 1.0, "episode/goals": 0.5, "loss/entropy": math.nan, "loss/depth-core loss": 1.5}, 800)
    made.close()
    return events(folder)


def test_the_return_comes_first_of_all_curves_and_pictures(board: EventAccumulator) -> None:
    shown = [tag for tag in board.Tags()["tensors"] if board.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"]
    assert min(shown) == MEAN_RETURN.tag
    assert len(shown) == 5
    # The analysis writes its pages into the same TensorBoard, from `1 Position` on.
    assert MEAN_RETURN.tag < OWN_RETURN < "1 Position"


def test_every_curve_carries_its_meaning_and_the_table_has_all_of_them(board: EventAccumulator) -> None:
    tables = texts(board, "0 Read me first/2 meaning of the tags")
    assert len(tables) == 2
    for tag in board.Tags()["tensors"]:
        metadata = board.SummaryMetadata(tag)
        if metadata.plugin_data.plugin_name == "scalars":
            assert len(metadata.summary_description) > 20
            assert metadata.summary_description in tables[-1].replace("\\|", "|")
            assert f"| {tag} " in tables[-1]


def test_points_lie_at_the_frames_and_nothing_that_is_no_number_is_written(board: EventAccumulator) -> None:
    (tag,) = (tag for tag in board.Tags()["tensors"] if tag.endswith("/entropy"))
    assert [(event.step, make_ndarray(event.tensor_proto).item()) for event in board.Tensors(tag)] == [(400, 2.0)]


def test_settings_are_a_table_with_their_meaning(board: EventAccumulator) -> None:
    (table,) = texts(board, "0 Read me first/1 settings")
    assert "| unroll_length " in table
    assert "agent steps of a rollout" in table
    assert "| loss_weight depth-core " in table


def test_hyperparameters_are_those_of_the_run(board: EventAccumulator) -> None:
    kept = {}
    for tag in ("_hparams_/experiment", "_hparams_/session_start_info"):
        kept[tag] = DATA.HParamsPluginData.FromString(board.SummaryMetadata(tag).plugin_data.content)
    settings = settings_of(training())
    found = kept["_hparams_/session_start_info"].session_start_info.hparams
    assert set(found) == set(settings) == {info.name for info in kept["_hparams_/experiment"].experiment.hparam_infos}
    assert found["seed"].number_value == 7
    assert found["agent"].string_value == "nav-d1d2l"
    assert found["serial"].bool_value is False
    assert found["loss_weight depth-core"].number_value == PRESETS["fast"].weight("depth-core")
    metrics = {info.name.tag: info.name.group for info in kept["_hparams_/experiment"].experiment.metric_infos}
    folder = f"{EVALUATION_FOLDER}/agent"
    assert metrics == {MEAN_RETURN.tag: "", OWN_RETURN: folder, HELD_OUT_RETURN: folder}


@pytest.mark.parametrize("name", AGENTS)
def test_every_metric_of_every_agent_has_a_meaning(name: str) -> None:
    for form in ("classes", "regression"):
        settings = replace(preset("fast"), depth_form=form)
        model = AgentModel(agent_config(name), ring_task().spec(), settings)
        for loss, part in model.auxiliary.items():
            for metric in part.metrics(defaultdict(lambda: 1.0)):
                assert not tag_of(f"auxiliary/{loss} {metric}", STATISTICS).meaning.endswith(f": {metric}")


def test_entries_that_nobody_writes_are_refused() -> None:
    with pytest.raises(InputError, match="curve 'nonsense/x'"):
        tag_of("nonsense/x", STATISTICS)


def result(split: str, returns: list[float], accuracy: float | None = 0.5) -> Result:
    return Result("ring", split, np.array(returns), 2.0, 1.0, None, 3.0, accuracy)


def test_an_evaluation_is_one_point_per_figure_and_a_second_one_replaces_it(tmp_path: Path) -> None:
    for returns in ([1.0, 2.0], [3.0, 5.0]):
        agent = [result("fixed", returns), result("heldout", [1.0])]
        oracle = [result("fixed", [9.0, 9.0], None), result("heldout", [8.0], None)]
        write_evaluation(tmp_path, Evaluation("a file", "nav", agent, {"oracle": oracle}), 4000)
    found = events(tmp_path / EVALUATION_FOLDER / "agent")
    assert [(event.step, make_ndarray(event.tensor_proto).item()) for event in found.Tensors(OWN_RETURN)] == [(4000, 4.0)]
    assert [make_ndarray(event.tensor_proto).item() for event in found.Tensors(HELD_OUT_RETURN)] == [1.0]
    assert not any("seconds to the first goal" in tag for tag in found.Tags()["tensors"])
    (table,) = texts(found, "0 Read me first/3 evaluation")
    assert "| mean return, its own mazes" in table
    oracle_tags = events(tmp_path / EVALUATION_FOLDER / "oracle").Tags()["tensors"]
    assert set(oracle_tags) < set(found.Tags()["tensors"])
    assert not any("position accuracy" in tag for tag in oracle_tags)
