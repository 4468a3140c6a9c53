"""The node agent: makes desired state true on its machine, does tasks once, and says what it sees."""
