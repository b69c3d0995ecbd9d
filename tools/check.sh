#!/usr/bin/env bash
# Format, lint, types and the layer test; every one runs, then the worst result counts. Run by `make check`.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
step() { echo "check: $*" >&2; "$@" || failed=1; }
step ruff format --check --quiet .
step ruff check --quiet .
step mypy --no-error-summary
step python -m pytest -q tests/unit/test_layers.py
exit $failed
