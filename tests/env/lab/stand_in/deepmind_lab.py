"""The part of DeepMind Lab's Python interface that the adapter uses, with a world that only knows walking east.

It lets the machinery around a simulator be tested where the real one isn't installed: processes, restarts, what is said and
what is left behind. It never runs where the real one is tested. Files in the folder `STAND_IN_TROUBLE` make it fail:
`die-N` ends the process before frame N, once; `hang` stops it at its start; `refuse` raises there.
"""

import contextlib
import os
import pathlib
import time

import numpy as np


class Lab:
    def __init__(self, level, observations, config, renderer, level_cache, temp_folder):
        assert pathlib.Path(temp_folder).is_dir()
        self._names = observations
        self._size = int(config["height"])
        self._spawns = [tuple(map(float, place.split())) for place in config["spawns"].split(";")[:-1]]
        self._items = config["items"].count(";")
        self._trouble = pathlib.Path(os.environ.get("STAND_IN_TROUBLE", "/nonexistent"))
        self._name = config["mapName"]
        self._cache = level_cache
        self._folder = pathlib.Path(temp_folder)
        self._frame = 0

    def reset(self, episode=-1, seed=None):
        if (self._trouble / "refuse").exists():
            raise RuntimeError("no level today")
        while (self._trouble / "hang").exists():
            time.sleep(0.05)
        compiled = str(self._folder / "compiled.pk3")
        if not self._cache.fetch(self._name + "_noaas_0", compiled):
            pathlib.Path(compiled).write_bytes(b"compiled")
            self._cache.write(self._name + "_noaas_0", compiled)
        self._x, self._y, self._yaw = self._spawns[0]
        return True

    def step(self, action, num_steps=1):
        trouble = self._trouble / f"die-{self._frame}"
        # Of several processes at that frame only the one whose unlink succeeds dies.
        if trouble.exists():
            with contextlib.suppress(FileNotFoundError):
                trouble.unlink()
                print("the world ends", flush=True)
                os._exit(3)
        self._frame += num_steps
        self._x += float(action[3]) * num_steps
        return 1.0 if self._frame % 10 == 0 else 0.0

    def observations(self):
        values = {
            "RGBD_INTERLEAVED": np.full((self._size, self._size, 4), self._frame % 256, dtype=np.uint8),
            "POSITION": np.array([self._x, self._y, 25.125]),
            "ANGLES": np.array([0.0, self._yaw, 0.0]),
            "VELOCITY": np.array([60.0, 0.0, 0.0]),
        }
        return {name: values[name] for name in self._names}

    def read_property(self, key):
        assert key == "taken"
        return "0" * self._items

    def is_running(self):
        return True

    def close(self):
        return True
