"""A page for people: what a run made, what it did not, and why, in one HTML file."""
