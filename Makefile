# The verbs: run test test-report lint bench patterns redaction reference docs dashboards sounds. Each installs what it needs into
# .venv; only Python and make must be there.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable
# Compiles on all cores; pip would use one. Without it, each process that may not write bytecode compiles again at start.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/|/mypy/|/pip/' .venv/lib || true
SOURCES := pyproject.toml hatch_build.py charts/build.py charts/package-lock.json charts/echarts.js
DEMO_URL ?= http://127.0.0.1:8080

.PHONY: run test test-report lint bench bench-flat bench-page patterns redaction reference docs dashboards sounds clean

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(SOURCES) | .venv/bin/python
	@echo "installing the service and its libraries into .venv; this takes about half a minute the first time"
	@$(INSTALL) .
	@$(COMPILE)
	touch $@

.venv/installed-test: $(SOURCES) | .venv/bin/python
	@echo "installing the service with what its tests and tools need into .venv; this takes about a minute"
	@$(INSTALL) '.[test]'
	@$(COMPILE)
	touch .venv/installed $@

# The real programs that tests run. As root on Debian they are installed; elsewhere their tests are skipped with a message.
.venv/real-parts: tests/real_parts.py | .venv/bin/python
	$(BIN)/python tests/real_parts.py install
	touch $@

# axe-core, from npm, for tests.
.venv/node_modules: charts/package-lock.json charts/build.py | .venv/installed-test
	$(BIN)/python charts/build.py .venv
	touch $@

run: .venv/installed  ## serve on 127.0.0.1:8080 with ./errors.duckdb; DEMO=1 sends errors, ARGS="..." adds options of serve
ifdef DEMO
	@$(BIN)/error-visualization demo --url $(DEMO_URL) & trap "kill $$!" EXIT INT TERM; \
	$(BIN)/error-visualization serve $(ARGS)
else
	@exec $(BIN)/error-visualization serve $(ARGS)
endif

test:  ## run all tests
	$(MAKE) --no-print-directory --jobs=2 .venv/real-parts .venv/node_modules
	$(BIN)/python tests/real_parts.py missing
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

test-report: .venv/installed-test  ## run the guide's test runner, with a report in reports/; ARGS="--type severity" for some tests
	$(BIN)/python tests/run_error_visualization_tests.py --report $(ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed-test .venv/real-parts  ## measure everything in 15 minutes; AGAINST=COMMIT compares, BUGSINK=1 adds Bugsink
	$(BIN)/python benchmarks/bench.py $(if $(AGAINST),--against $(AGAINST)) $(if $(BUGSINK),--bugsink) $(ARGS)

bench-flat: .venv/installed-test .venv/real-parts  ## whether memory, files and latencies stay flat for half an hour
	$(BIN)/python benchmarks/flat.py $(ARGS)

bench-page: .venv/installed-test .venv/real-parts  ## load time, tasks and memory of the page
	$(BIN)/python benchmarks/page.py $(ARGS)

patterns: .venv/installed-test  ## how well messages are grouped into patterns, and the cost; LOGHUB names the samples
	$(BIN)/python benchmarks/patterns.py $(ARGS)

redaction: .venv/installed-test  ## which secrets redaction finds, what it takes for secrets wrongly, and the cost
	$(BIN)/python benchmarks/redaction.py $(ARGS)

reference: .venv/installed-test  ## generate the API reference and the sample settings file
	$(BIN)/python docs/api_reference.py
	$(BIN)/error-visualization settings > .venv/settings.yml
	cp .venv/settings.yml docs/error-visualization.example.yml

docs: .venv/installed-test .venv/real-parts  ## the screenshots in docs/
	$(BIN)/python docs/screenshots.py

dashboards: .venv/installed-test  ## generate the JSON of the dashboards from their sources, and the sketches in docs/
	$(BIN)/generate-dashboards grafana/dashboards/*.dashboard.py
	$(BIN)/python docs/dashboards/sketch.py

sounds: .venv/installed-test  ## generate the sound files; ARGS="--help" lists the parameters
	$(BIN)/python sounds/generate_sound_files.py $(ARGS)

clean:
	rm -rf .venv build dist reports .pytest_cache .mypy_cache .ruff_cache
