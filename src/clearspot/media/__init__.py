"""Sound as files and as arrays."""
