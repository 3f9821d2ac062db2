#!/usr/bin/env bash
# Installs the Debian packages that the set-up needs and the machine lacks: a C compiler (pip builds jericho,
# TextWorld's interpreter, from source) and Python's venv and headers. The arguments behind the Python name further
# commands, which are called like their packages (chromium, for the tests of the pages). Does nothing when all is there.
set -euo pipefail

python=${1:-python3}
missing=()
command -v cc >/dev/null && command -v make >/dev/null || missing+=(build-essential)
"$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
headers='import os, sysconfig; exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))'
"$python" -c "$headers" || missing+=(python3-dev)
for name in "${@:2}"; do
  command -v "$name" >/dev/null || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "error: please install the equivalents of these Debian packages first: ${missing[*]}" >&2
  exit 3
fi
sudo=$([ "$(id -u)" -eq 0 ] || echo sudo)
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
