"""The stages, each a plain function: values in, a value out. No stage imports another."""
