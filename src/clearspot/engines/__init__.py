"""Engines: protocols, weights, and one module an engine."""
