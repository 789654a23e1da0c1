"""What a deliverable's sound is, in the words of tags and manifest."""

from __future__ import annotations

SOURCE_TYPE_BASE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE_SYNTHETIC = SOURCE_TYPE_BASE + "compositeWithTrainedAlgorithmicMedia"
"""A trained model's speech together with other material (IPTC NewsCodes)."""

TRAINED_SYNTHETIC = SOURCE_TYPE_BASE + "trainedAlgorithmicMedia"
"""A trained model's speech, and nothing else (IPTC NewsCodes)."""

SYNTHETIC = frozenset({COMPOSITE_SYNTHETIC, TRAINED_SYNTHETIC})
"""What says to machines that a sound is synthetic."""
