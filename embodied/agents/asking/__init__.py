"""Agents that ask for help: `agent.asks`. An agent keeps a set of actions that is calibrated to hold a right one, and
asks its corrector where the set is not a single action.
"""
