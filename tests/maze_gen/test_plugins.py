"""Modules that are found by name: those of a package's own folder, and no others, whatever a checkpoint says."""

import sys
from pathlib import Path

import pytest

import auxiliary
from agents.networks.cores import CORES, core_factory
from auxiliary.registry import LOSSES, loss_factory
from experiments.train_options import parse_loss_weights
from maze_gen.errors import InputError
from maze_gen.plugins import plugin


def test_rows_of_the_tables_come_first() -> None:
    assert {name: core_factory(name) for name in CORES} == CORES
    assert {name: loss_factory(name) for name in LOSSES} == LOSSES


def test_a_module_of_the_folder_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "time_of_day.py").write_text("LOSS = 'a factory'\n")
    monkeypatch.setattr(auxiliary, "__path__", [*auxiliary.__path__, str(tmp_path)])
    try:
        assert loss_factory("time-of-day") == "a factory"
        assert parse_loss_weights("time-of-day=0.5") == {"time-of-day": 0.5}
    finally:
        sys.modules.pop("auxiliary.time_of_day")


@pytest.mark.parametrize(
    "name",
    ["", "..registry", "loss.loss", "os", "antigravity", "../agents/model", "agents.model", "registry", "Position", "__init__"],
)
def test_nothing_else_is_imported(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(InputError, match="expected one of depth-encoder"):
        loss_factory(name)
    with pytest.raises(InputError, match="expected one of feedforward"):
        core_factory(name)
    assert set(sys.modules) == before


def test_a_module_without_the_attribute_is_none() -> None:
    assert plugin("auxiliary", "loss", "LOSS") is None
    assert plugin(None, "loss", "LOSS") is None
