"""Clearspot: one approved recording in, disclosed and cleared ad spots in many languages out."""

__version__ = "0.1.0"
