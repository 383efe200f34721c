"""Compares the depth images of a recording of DeepMind Lab with the engine's views.

Two properties of DeepMind Lab's images are in no layout and are fitted to the recording: the far plane of released levels, one
number for each image, which scales their bytes; and which walls bear a picture, one bit for each wall, whose plane lies 1 unit
in front of the wall.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from env.engine.frame_engine import FrameEngine
from env.engine.render.depth import ABOVE_EYE, depth_byte
from maze_gen.maze import CELL_UNITS, Geometry

SIZE = 84

FAR_PLANES = np.geomspace(60.0, 5000.0, 180)
"""Candidates for the distance of the far plane of an image of a released level, in units."""

PICTURE_HALF_WIDTH: dict[Geometry, float] = {"block": 18.0, "thin": 37.0}
"""Half of a picture's width in units: as in the recordings of text levels; an upper bound in released levels."""


@dataclass(frozen=True)
class _View:
    """One recorded image and the engine's view at the same pose.

    Attributes:
        image: [84, 84] uint8, recorded.
        depth: [84, 84] float32, the engine's planar depth in units.
        before: [84, 84] float32, planar depth with a picture on every wall; equal to `depth` where no picture can be.
        face: [84] int64, an identifier of each column's wall.
    """

    image: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    before: npt.NDArray[np.float32]
    face: npt.NDArray[np.int64]


class DepthComparison:
    """Collects the images of one recording; `median_fraction` compares them."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry: Geometry = geometry
        self._views: list[_View] = []

    def add(self, engine: FrameEngine, image: npt.NDArray[np.uint8]) -> None:
        """Adds an image, [84, 84] uint8, recorded at the present pose of the engine's only row."""
        depth = engine.planar_depth(SIZE)[0]
        x, y = engine.privileged["position"][0].astype(np.float64)
        heading = np.radians(float(engine.privileged["heading"][0]))
        right = (2 * np.arange(SIZE) + 1) / SIZE - 1
        up = -right[:, None]
        # Walls are nearer than floor and ceiling in the row below the horizon: floors begin 4,000 units away there.
        wall = depth[SIZE // 2].astype(np.float64)
        hit_x = x + wall * (np.cos(heading) + right * np.sin(heading))
        hit_y = y + wall * (np.sin(heading) - right * np.cos(heading))
        across_x, across_y = (np.minimum(at % CELL_UNITS, -at % CELL_UNITS) for at in (hit_x, hit_y))
        # A wall stands 1 unit from a grid line, whose direction is the wall's.
        faces_x = np.abs(across_x - 1) < np.abs(across_y - 1)
        away = np.where(faces_x, np.abs(hit_x - x), np.abs(hit_y - y))
        along = np.where(faces_x, hit_y, hit_x) % CELL_UNITS
        height = CELL_UNITS - ABOVE_EYE + up * depth
        reach = PICTURE_HALF_WIDTH[self._geometry]
        can_be = (depth == depth[SIZE // 2]) & (np.abs(along - CELL_UNITS / 2) < reach)
        can_be &= np.abs(height - CELL_UNITS / 2) < reach
        before = np.where(can_be, depth * ((away - 1) / away), depth).astype(np.float32)
        cell = (hit_y // CELL_UNITS).astype(np.int64) * 4096 + (hit_x // CELL_UNITS).astype(np.int64)
        looks = np.where(faces_x, np.sign(hit_x - x), 2 * np.sign(hit_y - y)).astype(np.int64)
        self._views.append(_View(image, depth, before, cell * 8 + looks + 2))

    def median_fraction(self) -> float | None:
        """The fraction of bytes within 1 of the recording's, the median over the images; None where there are none."""
        if not self._views:
            return None
        pictures = self._pictures()
        return float(np.median([self._fraction(view, np.isin(view.face, pictures)) for view in self._views]))

    def _pictures(self) -> list[int]:
        """The walls that fit the recording better with a picture than without one."""
        votes: dict[int, int] = {}
        for view in self._views:
            far = self._far(view, view.depth)
            gain = _matches(view.before, view.image, far).astype(int) - _matches(view.depth, view.image, far)
            for face in np.unique(view.face):
                votes[int(face)] = votes.get(int(face), 0) + int(gain[:, view.face == face].sum())
        return [face for face, gain in votes.items() if gain > 0]

    def _far(self, view: _View, depth: npt.NDArray[np.float32]) -> float:
        if self._geometry == "block":
            return np.inf
        return max(FAR_PLANES, key=lambda far: int(_matches(depth, view.image, far).sum()))

    def _fraction(self, view: _View, has_picture: npt.NDArray[np.bool_]) -> float:
        before = np.where(has_picture, view.before, view.depth)
        far = self._far(view, before)
        # A picture may be smaller than the area where one can be.
        return float((_matches(before, view.image, far) | _matches(view.depth, view.image, far)).mean())


def _matches(depth: npt.NDArray[np.float32], image: npt.NDArray[np.uint8], far: float) -> npt.NDArray[np.bool_]:
    return np.abs(depth_byte(depth, far).astype(np.int16) - image) <= 1
