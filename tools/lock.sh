#!/usr/bin/env bash
# Rewrites every hash lock from its .in file, for Python 3.11 and newer on any platform. Needs uv (pip install uv).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "lockstep: uv is needed to make locks.  fix: pip install uv" >&2; exit 2; }
for source in requirements/tool.in requirements/dev.in requirements/dvc.in components/*/requirements.in; do
  override=${source%.in}.override
  [ -e "$override" ] || override=/dev/null
  uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header \
    --override "$override" "$source" --output-file "${source%.in}.lock"
done
