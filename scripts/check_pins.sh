#!/usr/bin/env bash
# Fails when the requirements contradict each other: all extras must resolve together, and what is in .venv must fit
# together. inspect resolves too; it has an environment of its own because it holds back packages that are newer here.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/python -m pip install -qq --dry-run '.[all,ray,ompl,inspect,dev]'
complaints=$(.venv/bin/python -m pip check | grep -v -x -F -f requirements/pip-check-accepted.txt || true)
if [ -n "$complaints" ] && [ "$complaints" != "No broken requirements found." ]; then
  echo "$complaints" >&2
  echo "error: pip check complains. Mend the pins, or accept the line in requirements/pip-check-accepted.txt." >&2
  exit 1
fi
echo "All extras resolve together; pip check has nothing new."
