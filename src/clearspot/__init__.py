"""Clearspot: one approved recording in, disclosed and cleared ad spots in many languages out."""

import os

__version__ = "0.1.0"

# As many calls run side by side as there are cores (``engines.studio``), each on one thread. NumPy's OpenBLAS has
# threads of its own, which keep turning for tens of milliseconds after every product of two matrices, on a core that
# another call wants. It has to be told before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
