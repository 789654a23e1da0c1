# Everything starts here. `make demo` and `make test` set up what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := .venv-extras

.PHONY: help demo test test-extras check bench measure clean

help:
	@echo "make demo    set up and render the demo spot in three languages"
	@echo "make test    set up and pass everything: format, lint, types, tests, the documentation's examples"
	@echo "make test-extras   set up torch beside it, test the Coqui engine, hold what we run without torch to the originals"
	@echo "make check   format, lint and types alone"
	@echo "make bench   the pipeline against the bare engine loop; the speech engines beside each other; one worker and two"
	@echo "make measure what survives of the disclosures, how often the gate is wrong, what it costs (an hour and more)"
	@echo "make clean   forget the environment and what was rendered"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Clearspot needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12"; exit 3; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/clearspot keys init
	@$(BIN)/clearspot run spots/lumen-coffee --out out

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The engines use every core by themselves; all other tests run side by side, those that take longest first.
test: check
	$(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder \
	  tests/unit/test_killed.py tests/flows tests/unit
	$(BIN)/python -m pytest tests/engines

$(EXTRAS)/.ready: pyproject.toml constraints.txt constraints-extras.txt
	@echo "Setting up $(EXTRAS) (once; torch is large: some 7.5 GB)"
	@$(PYTHON) -m venv $(EXTRAS)
	@$(EXTRAS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --constraint constraints-extras.txt --editable '.[dev,coqui,openai-whisper,ray,watermark-reference]'
	@touch $@

test-extras: $(EXTRAS)/.ready
	$(EXTRAS)/bin/python -m pytest tests/extras

bench: $(READY)
	$(BIN)/python -m scripts.bench
	$(BIN)/python -m scripts.bench_changes
	$(BIN)/python -m scripts.bench_engines
	@mkdir -p build
	$(BIN)/python -m scripts.bench_scale --out build/scale.json
	$(BIN)/python -m scripts.simulate_scale build/scale.json --svg build/scale.svg

# What docs/measurements.md says of disclosures and gate. Each goes on where one before it has a bar that does not hold.
measure: $(READY)
	@failed=; for script in survival gate_errors voice_identity voice_lines bench_gate provenance_speed kills; do \
	  $(BIN)/python -m scripts.$$script || failed="$$failed $$script"; done; \
	  test -z "$$failed" || { echo "a bar does not hold:$$failed"; exit 1; }

clean:
	rm -rf $(VENV) $(EXTRAS) out build .mypy_cache .ruff_cache .pytest_cache
