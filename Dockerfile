# Runs the commands of `make demo` as a user who is not root:
#   docker build -t embodied .
#   docker run --rm -v embodied-runs:/suite/runs embodied
# This file has not been built yet. Please report what fails.
FROM python:3.11-slim-bookworm

# PyTorch's CPU build; without this line PyPI's CUDA build is installed, several gigabytes.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN useradd --create-home player && mkdir -p /suite/runs && chown -R player /suite
WORKDIR /suite
COPY scripts/debian.sh scripts/
RUN scripts/debian.sh python3 && rm -rf /var/lib/apt/lists/*

USER player
COPY --chown=player . .
RUN python3 -m venv .venv && .venv/bin/pip install -q --no-cache-dir --index-url "$TORCH_INDEX" torch==2.13.0 \
 && PIP_NO_CACHE_DIR=1 make install

VOLUME /suite/runs
CMD ["make", "demo"]
