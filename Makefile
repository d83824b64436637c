# The verbs: run deploy-check test test-report fuzz chaos lint bench patterns redaction reference docs dashboards
# rules sounds audit release.
# Each installs what it needs into .venv; only Python and make must be there.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# The libraries of requirements.lock and requirements-dev.lock; LOCKED=no installs the newest that pyproject.toml allows.
LOCKED ?= yes
LOCKED_INSTALL := $(if $(filter yes,$(LOCKED)),$(INSTALL) --require-hashes --requirement)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-package error-visualization-client \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml
# Compiles on all cores; pip would use one. Without it, each process that may not write bytecode compiles again at start.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/|/mypy/|/pip/' .venv/lib || true
SOURCES := pyproject.toml client/pyproject.toml requirements.lock requirements-dev.lock hatch_build.py charts/build.py charts/package-lock.json charts/echarts.js
ROUNDS ?= 20
# Tests with random moments: `make test` plays some of their rounds (tests/support/bounded.py).
CRASH_TESTS := tests/stack/test_crash_matrix.py tests/integration/test_crash.py tests/integration/test_deletion_crash.py \
	tests/integration/local/test_backup_crash.py $(addprefix tests/integration/,test_pattern_ids.py ingest/test_odd_reports.py \
	client/test_client_crash.py $(addprefix store/test_,retention.py rollups.py templates.py assignments.py))

.PHONY: run deploy-check test test-report fuzz chaos lint bench bench-flat bench-page patterns redaction reference docs dashboards rules sounds audit lock release clean

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(SOURCES) | .venv/bin/python
	@echo "installing the service and its libraries into .venv; this takes about half a minute the first time"
	@$(if $(LOCKED_INSTALL),$(LOCKED_INSTALL) requirements.lock)
	@$(INSTALL) --editable ./client --editable .
	@$(COMPILE)
	touch $@

.venv/installed-test: $(SOURCES) | .venv/bin/python
	@echo "installing the service with what its tests and tools need into .venv; this takes about a minute"
	@$(if $(LOCKED_INSTALL),$(LOCKED_INSTALL) requirements-dev.lock)
	@$(INSTALL) --editable ./client --editable '.[test]'
	@$(COMPILE)
	touch .venv/installed $@

# The tools of audit, release and lock.
.venv/installed-release: pyproject.toml | .venv/installed-test
	@$(INSTALL) --editable ./client --editable '.[release]'
	touch $@

# The real programs that tests run. As root on Debian they are installed; elsewhere their tests are skipped with a message.
.venv/real-parts: tests/real_parts.py tests/newer_parts.py | .venv/bin/python
	$(BIN)/python tests/real_parts.py install
	touch $@

# axe-core, from npm, for tests.
.venv/node_modules: charts/package-lock.json charts/build.py | .venv/installed-test
	$(BIN)/python charts/build.py .venv
	touch $@

# The page in one file, by the esbuild of those packages. `pip install` makes it, too; after an edit, the service sends the
# modules one by one until it is made again.
PAGE_BUNDLE := exporter/page/bundle/sources.json
$(PAGE_BUNDLE): $(wildcard exporter/page/*.js exporter/page/*.css) exporter/page/index.html charts/build.py | .venv/node_modules
	$(BIN)/python charts/build.py page .venv/node_modules
	@touch $@

# Real SDKs from npm that report by other protocols, for tests, which are skipped where they cannot be had.
.venv/sdks/node_modules: tests/sdks/package-lock.json charts/build.py | .venv/installed-test
	$(BIN)/python charts/build.py .venv/sdks tests/sdks && touch $@ || true

run: .venv/installed  ## serve on 127.0.0.1:8080 with ./errors.duckdb; DEMO=1: errors of a demo, in ./demo.duckdb; ARGS="..." adds options of serve
ifdef DEMO
	@exec $(BIN)/error-visualization demo --serve $(ARGS)
else
	@exec $(BIN)/error-visualization serve $(ARGS)
endif

test:  ## run all tests
	$(MAKE) --no-print-directory --jobs=2 .venv/real-parts .venv/node_modules .venv/sdks/node_modules $(PAGE_BUNDLE)
	$(BIN)/python tests/real_parts.py missing
	@$(BIN)/python -m compileall -q -j 0 exporter client  # hundreds of processes start, some where nothing may be written
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

test-report: .venv/installed-test  ## run the guide's test runner, with a report in reports/; ARGS="--type severity" for some tests
	$(BIN)/python tests/run_error_visualization_tests.py --report $(ARGS)

fuzz: .venv/installed-test  ## requests from the OpenAPI document, and inputs for the parsers, for MINUTES (10) each
	FUZZ_MINUTES=$(or $(MINUTES),10) FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest --numprocesses 2 tests/fuzz $(ARGS)

chaos: .venv/installed-test .venv/real-parts  ## kills, full disks and damaged files under load; ROUNDS=20 (ten kills are a round)
	$(BIN)/python tests/chaos/run.py --kills $$(( $(ROUNDS) * 10 )) --full-disk $(ROUNDS) --damage $(ROUNDS) $(ARGS)
	ALL_ROUNDS=1 $(BIN)/python -m pytest $(CRASH_TESTS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed-test .venv/real-parts  ## measure everything in 15 minutes; AGAINST=COMMIT compares, BUGSINK=1 adds Bugsink
	$(BIN)/python benchmarks/bench.py $(if $(AGAINST),--against $(AGAINST)) $(if $(BUGSINK),--bugsink) $(ARGS)

bench-flat: .venv/installed-test .venv/real-parts  ## whether memory, files and latencies stay flat for half an hour
	$(BIN)/python benchmarks/flat.py $(ARGS)

bench-page: .venv/installed-test .venv/real-parts $(PAGE_BUNDLE)  ## load time, tasks and memory of the page
	$(BIN)/python benchmarks/page.py $(ARGS)

patterns: .venv/installed-test  ## how well messages are grouped into patterns, and the cost; LOGHUB names the samples
	$(BIN)/python benchmarks/patterns.py $(ARGS)

redaction: .venv/installed-test  ## which secrets redaction finds, what it takes for secrets wrongly, and the cost
	$(BIN)/python benchmarks/redaction.py $(ARGS)

reference: .venv/installed-test  ## generate the API reference and the sample settings file
	$(BIN)/python docs/api_reference.py
	$(BIN)/error-visualization settings > .venv/settings.yml
	cp .venv/settings.yml docs/error-visualization.example.yml

docs: .venv/installed-test .venv/real-parts $(PAGE_BUNDLE)  ## the screenshots in docs/, and the pictures of the dashboards
	$(BIN)/python docs/screenshots.py
	$(BIN)/python docs/dashboards/draw.py

dashboards: .venv/installed-test  ## generate the JSON of the dashboards from their sources
	$(BIN)/generate-dashboards grafana/dashboards/*.dashboard.py

deploy-check: .venv/installed-test  ## render and validate the Kubernetes manifests, the systemd unit and the compose file
	$(BIN)/python deploy/check.py

rules: .venv/installed-test  ## generate the rules of Prometheus, and the PrometheusRule for Kubernetes, from prometheus/mixin
	$(BIN)/python prometheus/mixin/render.py
	$(BIN)/python prometheus/mixin/render.py --config deploy/rules.yml --prometheus-rule error-visualization \
		> deploy/kubernetes/prometheusrule.yaml

sounds: .venv/installed-test  ## generate the sound files; ARGS="--help" lists the parameters
	$(BIN)/python sounds/generate_sound_files.py $(ARGS)

audit: .venv/installed-release  ## known vulnerabilities and licences of all libraries
	$(BIN)/python release/audit.py

lock: .venv/installed-release  ## pin all libraries by pyproject.toml; UPGRADE=1 takes the newest versions
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra test --constraint requirements.lock --output-file requirements-dev.lock

release: .venv/installed-release  ## the wheels of service and client, and their software bill of materials, in dist/
	$(BIN)/python release/build.py

clean:
	rm -rf .venv build dist reports .pytest_cache .mypy_cache .ruff_cache
