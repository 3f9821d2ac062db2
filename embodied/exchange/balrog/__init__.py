"""BALROG's result folders (balrog/evaluator.py at af7d1f1, and its leaderboard repository): read as runs, written from
runs.

    summary.json, metadata.yaml
    <env>/<env>_summary.json
    <env>/<task>/<task>_run_<NN>.json       what came of an episode
    <env>/<task>/<task>_run_<NN>.csv        its steps, where they were published

Task names hold slashes, so BabyAI's and Baba's files lie deeper than the others'.
"""
