"""Tests against originals that need torch: `make test-extras` installs it; where it is not, there is nothing here."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") and find_spec("perth") else ["test_watermark_reference.py"]
collect_ignore_glob += [] if find_spec("ray") and find_spec("prefect_ray") else ["test_ray.py"]
