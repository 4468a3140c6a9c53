"""What a command starts: ``up``, ``server`` and ``node run``."""
