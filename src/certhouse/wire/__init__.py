"""Messages between control plane and node agent: work for a node, its results, desired and observed state."""
