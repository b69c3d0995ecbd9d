#!/usr/bin/env bash
# Runs the tests that need a cluster (arguments go to pytest): on the one that runs, else on one for as long as they take.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! .venv/bin/python -m cluster status >/dev/null 2>&1; then
  trap '.venv/bin/python -m cluster down' EXIT
fi
.venv/bin/python -m cluster up --agent both
.venv/bin/python -m pytest tests/cluster "$@"
