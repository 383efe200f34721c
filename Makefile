# The commands of the project; everything they install stays in .venv.
#   make train                                                    ten minutes of training, evaluation and decoding
#   make train ARGS="--minutes 2 --task random-goal-small"        any option of experiments.quickstart
#   make paint                                                    the same for an agent that paints digits
#   make test                                                     ruff, pyright and pytest
#   make setup                                                    the environment alone

.PHONY: setup train paint test
PYTHON ?=
export PYTHON

setup:
	@.ci/setup

train: setup
	@.venv/bin/python -m experiments.quickstart $(ARGS)

paint: setup
	@.venv/bin/python -m experiments.quickstart --task doodle-digits $(ARGS)

test:
	@.ci/setup test
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m pyright
	.venv/bin/python -m pytest -n 2 $(ARGS)
