#!/usr/bin/env bash
# Builds .venv-balrog, the environment of `make test-balrog`: our package on balrog-nle 0.9.0 (NetHack 3.6.6).
# Does nothing when it is already up to date. PYTHON names the interpreter (3.11: balrog-nle has no wheel for later ones).
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-balrog
stamp=$venv/.built-from
if cmp -s requirements/balrog-nle.txt "$stamp"; then
    exit 0
fi
"${PYTHON:-python3.11}" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --upgrade pip
"$venv/bin/python" -m pip install --quiet -r requirements/balrog-nle.txt
"$venv/bin/python" -m pip install --quiet --no-deps minihack==0.1.6
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
cp requirements/balrog-nle.txt "$stamp"
