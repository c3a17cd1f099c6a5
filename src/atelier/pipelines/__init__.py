"""What jobs do: one module per kind, and the ports they work through."""
