# One line per target; the work is in tools/. `make demo` and `make test` need only git, make and Python >= 3.11.
PYTHON ?= python3
BIN := .venv/bin
.PHONY: demo test test-ci check bench fuzz format golden lock clean cluster cluster-down demo-cluster test-cluster soak
AGENT ?= argocd

demo: .venv/tool.done ; @$(BIN)/python -m demo
test: .venv/dev.done .venv/dvc.done ; @$(BIN)/python -m pytest -n 2 --dist loadfile
test-ci: .venv/dev.done .venv/ci.done ; @$(BIN)/python -m pytest tests/ci -n 2 --dist loadfile --timeout 600
check: .venv/dev.done ; @PATH=$(BIN):$$PATH bash tools/check.sh
bench: .venv/dev.done ; @$(BIN)/python -m bench
fuzz: .venv/dev.done ; @$(BIN)/python -m fuzz
format: .venv/dev.done ; @$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .
golden: .venv/dev.done ; @LOCKSTEP_GOLDEN=write $(BIN)/python -m pytest -q tests/unit tests/local -k golden; $(BIN)/python tools/reference.py
lock: .venv/dev.done ; @bash tools/lock.sh
cluster: .venv/dev.done ; @$(BIN)/python -m cluster up --agent $(AGENT)
cluster-down: .venv/dev.done ; @$(BIN)/python -m cluster down
demo-cluster: .venv/dev.done ; @$(BIN)/python -m cluster up --agent $(AGENT) && $(BIN)/python -m demo $(AGENT)
test-cluster: .venv/dev.done ; @bash tools/test_cluster.sh -m "not soak"
soak: .venv/dev.done ; @bash tools/test_cluster.sh
clean: ; @[ ! -e .lockstep/cluster ] || $(BIN)/python -m cluster down; rm -rf .venv .lockstep
.venv/tool.done: requirements/tool.lock pyproject.toml tools/setup.sh ; @PYTHON=$(PYTHON) bash tools/setup.sh tool
.venv/dev.done: requirements/dev.lock pyproject.toml tools/setup.sh ; @PYTHON=$(PYTHON) bash tools/setup.sh dev
.venv/dvc.done: requirements/dvc.lock tools/setup.sh | .venv/dev.done ; @PYTHON=$(PYTHON) bash tools/setup.sh dvc
.venv/ci.done: requirements/ci/package-lock.json requirements/ci/package.json tools/setup.sh | .venv/dev.done ; @bash tools/setup.sh ci
