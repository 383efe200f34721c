"""Place fields of single units, and their spatial information (Skaggs and others 1993)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from experiments.analysis.items import AGENT, QUIET, Item, Number, Picture, figure, pixels_of
from experiments.analysis.maps import plan_of
from experiments.analysis.state_space import state_items
from experiments.analysis.trajectories import Trajectories

SECTION = "5 Network"
DRAWN = 12
CONTROLS = 10
DEVIATIONS = 2.821 * (1 + 1 / CONTROLS) ** 0.5
"""Threshold in standard deviations that 1 % of further controls exceed, where mean and deviation come from 10 controls: the 99 %
quantile of Student's t with 9 degrees of freedom, widened for the uncertainty of the mean."""
LEAST_ACTIVE = 0.01
"""Units that are active in a smaller fraction of the steps count as silent."""


@dataclass(frozen=True)
class PlaceFields:
    """Mean activation of a layer's units in every cell.

    Attributes:
        layer: name of the layer.
        rates: [units, cells] float64, mean of the positive part of the activation; NaN in cells that were never visited.
        information: [units] bits, Skaggs's spatial information less the mean of controls whose cells are those of another
            episode, since a limited number of visits alone yields some information. 0 for silent units.
        significant: [units] bool, whether the information exceeds that of 99 % of such controls.
    """

    layer: str
    rates: npt.NDArray[np.float64]
    information: npt.NDArray[np.float64]
    significant: npt.NDArray[np.bool_]


def rates_by_cell(activity: npt.NDArray[np.float32], cell: npt.NDArray, cells: int) -> tuple[npt.NDArray, npt.NDArray]:
    """Mean activation in every cell, and the fraction of time that is spent there.

    Args:
        activity: [K, units] float32, not negative.
        cell: [K].

    Returns:
        ([units, cells], NaN in cells that were never visited; [cells]).
    """
    count = np.bincount(cell, minlength=cells)
    index = torch.from_numpy(cell.astype(np.int64))
    sums = torch.zeros(cells, activity.shape[1]).index_add_(0, index, torch.from_numpy(activity)).numpy().astype(np.float64)
    rates = np.divide(sums, count[:, None], out=np.full(sums.shape, np.nan), where=count[:, None] > 0)
    return rates.T, count / len(cell)


def spatial_information(rates: npt.NDArray, occupancy: npt.NDArray) -> npt.NDArray[np.float64]:
    """[units] bits: sum over cells of p · (r / r̄) · log2(r / r̄), with r̄ the mean rate; 0 for a silent unit.

    Args:
        rates: [units, cells], not negative; NaN where never visited.
        occupancy: [cells] p, fraction of time.
    """
    known = np.where(np.isfinite(rates), rates, 0.0)
    mean = known @ occupancy
    ratio = known / np.where(mean > 0, mean, 1.0)[:, None]
    return (occupancy * ratio * np.log2(np.where(ratio > 0, ratio, 1.0))).sum(axis=1)


def place_fields(trajectories: Trajectories, layer: str) -> PlaceFields:
    """Place fields of a layer's units, in one maze."""
    activity = np.maximum(trajectories.layers[layer].astype(np.float32), 0)
    flat, cells = activity.reshape(-1, activity.shape[-1]), trajectories.task.cells
    rates, occupancy = rates_by_cell(flat, trajectories.cell.ravel(), cells)
    controls = []
    for number in range(1, CONTROLS + 1):
        # Cells of another episode depend on time in the same way; a single episode is shifted in time.
        shift = number * trajectories.episodes // (CONTROLS + 1)
        if shift % trajectories.episodes:
            other = np.roll(trajectories.cell, shift, axis=0)
        else:
            other = np.roll(trajectories.cell, number * trajectories.steps // (CONTROLS + 1), axis=1)
        controls.append(spatial_information(*rates_by_cell(flat, other.ravel(), cells)))
    usual, spread = np.mean(controls, axis=0), np.std(controls, axis=0, ddof=1)
    found = spatial_information(rates, occupancy)
    active = (flat > 0).mean(axis=0) >= LEAST_ACTIVE
    return PlaceFields(
        layer, rates, np.where(active, np.maximum(found - usual, 0), 0.0), active & (found > usual + DEVIATIONS * spread)
    )


def unit_items(trajectories: Trajectories) -> list[Item]:
    """Place fields and spatial information in a task of one maze, and the states of the network in any task."""
    items: list[Item] = []
    if len(trajectories.task.mazes) == 1:
        fields = [place_fields(trajectories, layer) for layer in trajectories.layers]
        last = fields[-1]
        items = [
            Number(
                SECTION,
                "fraction of units with spatial information",
                f"Units of {last.layer} with more spatial information than 99 % of controls, whose cells are those of another "
                "episode.",
                float(last.significant.mean()),
                {"chance": 0.01},
                key=True,
                percent=True,
            ),
            _information(fields),
            _most_informative(trajectories, last),
        ]
    return items + state_items(SECTION, trajectories)


def _information(fields: list[PlaceFields]) -> Picture:
    with figure(4.4 * len(fields), 3.8, 1, len(fields), squeeze=False) as (made, axes):
        most = max(0.1, *(float(field.information.max()) for field in fields))
        for panel, field in zip(axes[0], fields, strict=True):
            parts = [field.information[field.significant], field.information[~field.significant]]
            names = ["above chance", "not above chance"]
            panel.hist(parts, np.linspace(0, most, 30), color=[AGENT, QUIET], label=names, stacked=True)
            panel.set_title(f"{field.layer}: {100 * field.significant.mean():.0f} % of the units", fontsize=12)
            panel.set_xlabel("spatial information above controls, bits")
            panel.set_ylabel("units")
        axes[0][-1].legend(fontsize=9)
        return Picture(
            SECTION,
            "spatial information of single units",
            "Information of a unit's activation about the present cell, in bits, layer by layer, less its information about the "
            "cells of other episodes. Blue units are above chance.",
            pixels_of(made),
        )


def _most_informative(trajectories: Trajectories, fields: PlaceFields) -> Picture:
    maze = trajectories.task.mazes[0]
    best = np.argsort(-fields.information, kind="stable")[:DRAWN]
    rows = DRAWN // 4
    height = 3.4 * maze.rows / maze.cols + 0.45
    with figure(14, rows * height, rows, 4) as (made, axes):
        for panel in axes.ravel():
            panel.axis("off")
        for panel, unit in zip(axes.ravel(), best.tolist(), strict=False):
            panel.imshow(plan_of(maze, "small").heat(fields.rates[unit], "inferno", low=0, hatched=True).array())
            panel.set_title(f"unit {unit}: {fields.information[unit]:.2f} bits", fontsize=11)
        return Picture(
            SECTION,
            "place fields of the most informative units",
            f"The {DRAWN} units of {fields.layer} with the most spatial information: bright cells are where the unit is active, "
            "as in the place cells of an animal. Hatched cells were never visited.",
            pixels_of(made),
            key=True,
        )
