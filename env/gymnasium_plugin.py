"""Start-up hook that makes `gymnasium.make("Knossos/...")` work with no import of this project.

Gymnasium no longer looks for environments of other packages by itself. Installing this project therefore leaves one line in the
start-up files of the Python environment (setup.py makes it from this file, so nothing here may need another module of ours):
it watches for the first import of gymnasium, and registers the environments right after it. It costs other programs nothing.
"""

import importlib.abc
import importlib.util
import sys


class RegisterAfterGymnasium(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds gymnasium once, loads it as usual, then registers the environments."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        self.spec, self.loader = spec, spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.spec.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        try:
            from env.registration import register_environments
        except ImportError:  # another package named env comes first on the path, or this project was removed
            return
        register_environments()


if "gymnasium" not in sys.modules:
    sys.meta_path.insert(0, RegisterAfterGymnasium())
