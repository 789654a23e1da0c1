"""Prefect flows around the pipeline: nothing here but order, names, retries and reports."""
