"""The proof that a file carries: keys, tags and the signed manifest."""
