"""What measures and makes data; nothing that is installed needs it."""

import clearspot  # noqa: F401  (before NumPy: it says how many threads that may have)
