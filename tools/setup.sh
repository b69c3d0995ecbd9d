#!/usr/bin/env bash
# Makes .venv with the locked packages of requirements/$1.lock (every file checked against its hash). Run by make, once.
# Those of dvc.lock get an environment of their own, .venv/dvc. `ci` is what runs .gitlab-ci.yml, of requirements/ci, in .venv/ci.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
python=${PYTHON:-python3}
"$python" - <<'PY' || exit 2
import sys
if sys.version_info < (3, 11):
    sys.exit(f"lockstep: Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}.\n"
             "  fix: make PYTHON=python3.11 demo")
PY
if [ ! -x .venv/bin/python ]; then
  echo "set-up: an environment in .venv (once)" >&2
  if ! "$python" -m venv .venv 2>.venv-error.log; then
    rm -rf .venv
    echo "lockstep: $python cannot make a virtual environment (see .venv-error.log)." >&2
    echo "  fix: install your system's venv package, for example: apt-get install python3-venv" >&2
    exit 3
  fi
  rm -f .venv-error.log
fi
[ "$kind" = ci ] && lock=requirements/ci/package-lock.json || lock=requirements/$kind.lock
echo "set-up: locked packages from $lock (once)" >&2
if [ "$kind" = dvc ]; then
  .venv/bin/python -m venv .venv/dvc
  # The lock is whole: what it leaves out on purpose is not asked for.
  .venv/dvc/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r requirements/dvc.lock
  touch .venv/dvc.done
  exit
fi
if [ "$kind" = ci ]; then
  if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
    echo "lockstep: what runs .gitlab-ci.yml needs Node 20 or newer and npm.  fix: install them, then make test-ci" >&2
    exit 3
  fi
  if ! command -v rsync >/dev/null || ! command -v docker-registry >/dev/null; then
    PYTHONPATH=tools .venv/bin/python -c 'from cluster.packages import CI, install; install(CI, print)' >&2
  fi
  mkdir -p .venv/ci
  cp requirements/ci/package.json requirements/ci/package-lock.json .venv/ci
  npm ci --prefix .venv/ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error >&2
  touch .venv/ci.done
  exit
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "requirements/$kind.lock"
# A path file instead of an editable build: nothing to compile, and `python -m demo` finds tools/ too.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$PWD/tools" >"$site/lockstep-tools.pth"
cat >.venv/bin/lockstep <<SH
#!$PWD/.venv/bin/python
import sys
from lockstep.cli.main import main
sys.exit(main())
SH
chmod +x .venv/bin/lockstep
touch ".venv/$kind.done"
[ "$kind" = tool ] || touch .venv/tool.done
