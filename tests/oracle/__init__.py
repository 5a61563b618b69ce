"""The oracles of docs/OPERATIONS.md's promise: nothing lost, nothing twice, nothing leaked."""
