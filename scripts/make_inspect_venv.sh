#!/usr/bin/env bash
# Builds .venv-inspect, the environment of `make test-inspect`: our core with inspect_ai, which pins packages that ours
# leave free. Does nothing when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-inspect
[ -f "$venv/.built" ] && exit 0
"${PYTHON:-python3}" -m venv --clear "$venv"
"$venv/bin/python" -m pip install -q --upgrade "pip>=24"
"$venv/bin/python" -m pip install -q -e '.[inspect]' "inspect_ai==0.3.285" pytest pytest-asyncio pytest-timeout
touch "$venv/.built"
