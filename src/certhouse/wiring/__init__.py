"""Which adapters each kind of process has. Nothing is imported before it is needed."""
