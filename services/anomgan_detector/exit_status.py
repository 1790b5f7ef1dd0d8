"""How `anomgan models train` answers the service that has started it: its exit status, where 0 is a new model."""

NOT_YET = 3
"""the history is not enough, or another training is under way"""
