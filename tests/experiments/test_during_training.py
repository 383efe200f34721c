"""The short analysis during a training: pictures with the training's frames as their step, and an end when asked."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.checkpoint import load_checkpoint
from experiments.analysis.during_training import FOLDER, LiveAnalysis
from experiments.tags import PICTURES
from tests.experiments.synthetic import ring_task, untrained


def test_pictures_carry_the_trainings_frames(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(2)))
    analysis = LiveAnalysis(tmp_path, minutes=0)
    analysis.start_if_due(lambda: checkpoint)
    analysis.wait()
    events = EventAccumulator(str(tmp_path / FOLDER), size_guidance={"tensors": 0}).Reload()
    assert set(events.Tags()["tensors"]) == {tag.tag for tag in PICTURES}
    for tag in PICTURES:
        assert [event.step for event in events.Tensors(tag.tag)] == [checkpoint.frames]
        assert events.SummaryMetadata(tag.tag).plugin_data.plugin_name == "images"
        assert events.SummaryMetadata(tag.tag).summary_description == tag.meaning


def test_nothing_is_analysed_before_it_is_due(tmp_path: Path) -> None:
    analysis = LiveAnalysis(tmp_path, minutes=5)
    analysis.start_if_due(lambda: (_ for _ in ()).throw(AssertionError("not yet")))
    analysis.stop()
    assert not (tmp_path / FOLDER).exists()


def test_an_analysis_ends_when_the_training_does(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(untrained(tmp_path / "agent.safetensors", task=ring_task(600)))
    analysis = LiveAnalysis(tmp_path, minutes=0)
    analysis.stop()
    analysis.analyse(checkpoint)
    assert not (tmp_path / FOLDER).exists()
