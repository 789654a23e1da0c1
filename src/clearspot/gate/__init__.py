"""The gate: the rules a deliverable must pass before it is exported, and the records of what they found."""
