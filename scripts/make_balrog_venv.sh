#!/usr/bin/env bash
# Builds .venv-balrog, the environment of `make test-balrog`: our package on balrog-nle 0.9.0 (NetHack 3.6.6).
# Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-balrog
if cmp -s requirements/balrog-nle.txt "$venv/.built-from"; then
    exit 0
fi
for python in "${PYTHON:-python3}" python3.11; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    [ "$version" = 3.11 ] && break
done
if [ "$version" != 3.11 ]; then
    echo "error: balrog-nle has wheels for Python 3.11 only. Name one: make test-balrog PYTHON=/path/to/python3.11" >&2
    exit 3
fi
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install -q --upgrade "pip>=24"
"$venv/bin/python" -m pip install -q -r requirements/balrog-nle.txt
"$venv/bin/python" -m pip install -q --no-deps minihack==0.1.6
"$venv/bin/python" -m pip install -q --no-deps --no-build-isolation -e .
cp requirements/balrog-nle.txt "$venv/.built-from"
