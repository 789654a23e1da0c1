"""Consent: the signed record of what a voice's owner allowed, and the grants it gives."""
