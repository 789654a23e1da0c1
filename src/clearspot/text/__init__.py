"""Text as it is written, as it is said, and as it was heard."""
