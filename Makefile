# Every target sets up what it needs: .venv holds the tools, .aws-sam/build the built function.

.DEFAULT_GOAL := help
PYTHON ?= python3
MAKEFLAGS += --no-print-directory

# The user's own options, modules and folders for Python tools do not reach the tools here. tests/packages.py (what
# installs and builds) and tests/environment.py (the sandbox) remove more.
unexport $(filter-out PYTHONIOENCODING,$(filter PYTHON% VIRTUAL_ENV% CONDA_% PYTEST_% MYPY% RUFF_%,$(.VARIABLES)))
# Files are UTF-8 in every locale, as from Python 3.15 on: https://peps.python.org/pep-0686/
export PYTHONUTF8 := 1

TOOLS := .venv/bin
READY := .venv/.ready
SCANNERS := .venv/scanners/.ready
MUTATION := .venv/mutation/.ready
BUILT := .aws-sam/build/template.yaml
MODULES := $(sort $(wildcard functions/snapshot/*.py functions/snapshot/*/*.py))

# The commands for AWS are Python (functions/operations). They read variables of make's command line, as STACK=…, from
# the environment, so nothing is quoted for a shell. `env` starts them without a shell, which would not forward signals.
WITH_FUNCTIONS = env PYTHONPATH=functions $(TOOLS)/python -m
OPERATE = $(WITH_FUNCTIONS) operations

WITH_PACKAGES = $(TOOLS)/python -m tests.packages
# Hashes for the tools too: they run with the credentials of whoever deploys.
PIN = $(WITH_PACKAGES) $(TOOLS)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --annotation-style line
INSTALL = $(WITH_PACKAGES) $(TOOLS)/uv pip install --quiet --require-hashes
NOT_INSTALLED = { echo 'The packages could not be installed. They come from where the settings of pip say: for a mirror' \
	'set PIP_INDEX_URL, for a proxy HTTPS_PROXY, for its certificates PIP_CERT.' >&2; exit 1; }

# The tools contain the paths of this folder and of their Python: if one changes, they are installed again.
PLACE = pwd -P; $(TOOLS)/python -IS -c 'import sys; print(sys.implementation.cache_tag)'
ifneq ($(shell cat $(READY) 2> /dev/null),$(shell { $(PLACE); } 2> /dev/null || :))
.PHONY: $(READY)
endif

export SAM_CLI_TELEMETRY := 0

# --- On this machine, without an AWS account ---

.PHONY: run
run: $(BUILT) ## Take a snapshot in an embedded AWS (your own jobs: OPENAI_API_KEY=…)
	@$(WITH_FUNCTIONS) tests.sandbox.demo

.PHONY: sandbox
sandbox: $(BUILT) ## Keep the embedded AWS running, with a snapshot a minute, until Ctrl-C
	@$(WITH_FUNCTIONS) tests.sandbox.sandbox

.PHONY: test
test: $(READY) ## Run all checks and all tests
	@$(MAKE) --jobs 2 build types covered lint validate
	$(TOOLS)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(LONGEST) tests/stack \
		$(filter-out $(COVERED) $(LONGEST),$(wildcard tests/integration/test_*.py)) tests/soak tests/machines/test_here.py

# Two minutes in one process, most of them spent waiting for retries: it has to begin first.
LONGEST := tests/integration/test_aws_faults.py
# They reach nearly every line of the function. Not all tests: measuring takes half as long again.
COVERED := tests/unit $(patsubst %,tests/integration/test_%.py,changes client listing overlap run)
.PHONY: covered
covered: $(BUILT) ## Run the quick tests, and measure the function's coverage
	$(TOOLS)/pytest --numprocesses 2 --dist loadfile $(COVERED) --cov

.PHONY: unit
unit: lint types ## Run the checks and tests that take seconds
	$(TOOLS)/pytest tests/unit

.PHONY: lint
lint: $(READY) ## Check style, formatting and spelling
	$(TOOLS)/ruff check
	$(TOOLS)/ruff format --check
	$(TOOLS)/codespell

.PHONY: types
types: $(READY) ## Check the types of the code and of the tests
	$(TOOLS)/mypy functions tests

.PHONY: validate
validate: $(READY) $(SCANNERS) ## Check the template for mistakes and weaknesses
	$(WITH_PACKAGES) $(TOOLS)/sam validate --lint
	LOG_LEVEL=ERROR $(dir $(SCANNERS))bin/checkov --file template.yaml --framework cloudformation --skip-download --quiet --compact

.PHONY: audit
audit: $(SCANNERS) ## Check the function's packages for known vulnerabilities
	$(dir $(SCANNERS))bin/pip-audit --requirement functions/snapshot/requirements.txt --disable-pip --strict --progress-spinner off

.PHONY: machines
machines: $(BUILT) ## Test with unusual folders, settings and signals (5 minutes)
	$(TOOLS)/pytest tests/machines

.PHONY: soak
soak: $(READY) ## Run the fault-injection soak test (20 minutes; SEED=n)
	$(TOOLS)/pytest tests/soak --ticks 1000 --seed $(or $(SEED),$$(date +%s))
	$(TOOLS)/pytest --numprocesses 2 --dist loadfile tests/unit/test_job.py tests/integration/test_fuzz.py tests/integration/test_readers.py \
		tests/integration/test_incremental.py tests/integration/test_read_ahead.py --hypothesis-profile soak $(if $(SEED),--hypothesis-seed $(SEED))

.PHONY: mutants
mutants: $(MUTATION) ## Run the mutation tests for an hour, or resume them (MINUTES=60)
	@nice -n 15 $(dir $(MUTATION))bin/python -m tests.mutation.run

.PHONY: bench
bench: $(BUILT) ## Measure this project against its peers (half an hour)
	@$(INSTALL) --python $(TOOLS)/python --requirement tests/benchmark/requirements.txt \
		--constraint tests/requirements.txt
	@$(TOOLS)/python -m tests.benchmark.run

.PHONY: build
build: $(BUILT) ## Build the function for deployment

# --- In your AWS account ---

.PHONY: secret
secret: $(READY) ## Store the API key of SOURCE, from standard input, in a secret
	@$(OPERATE).secret

.PHONY: deploy
deploy: $(BUILT) ## Build and deploy the stack; asks for its parameters the first time
	@$(OPERATE).deploy

.PHONY: invoke
invoke: $(READY) ## Run the function once, for SOURCE (FULL=1) or with EVENT
	@$(OPERATE).invoke

.PHONY: latest
latest: $(READY) ## Print the newest snapshot of SOURCE
	@$(OPERATE).latest

.PHONY: logs
logs: $(READY) ## Print the logs SINCE a time (1day ago), of a LEVEL and higher
	@$(OPERATE).logs

.PHONY: status
status: $(READY) ## Report whether all is well with the deployed stack
	@$(OPERATE).status

# --- Housekeeping ---

.PHONY: lock
lock: $(READY) ## Re-lock all dependencies, from the requirements.in files
	$(PIN) tests/uv.in --output-file tests/uv.txt
	$(PIN) functions/snapshot/requirements.in --output-file functions/snapshot/requirements.txt
	$(PIN) --constraint functions/snapshot/requirements.txt tests/requirements.in --output-file tests/requirements.txt
	$(PIN) --constraint functions/snapshot/requirements.txt --constraint tests/requirements.txt \
		tests/benchmark/requirements.in --output-file tests/benchmark/requirements.txt
	$(PIN) tests/scanners/requirements.in --output-file tests/scanners/requirements.txt
	$(PIN) --constraint functions/snapshot/requirements.txt tests/mutation/requirements.in \
		--output-file tests/mutation/requirements.txt

.PHONY: clean
clean: ## Remove what was built or installed here
	rm -rf .venv .aws-sam .coverage .mypy_cache .mutation_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^# --- .* ---$$/ { gsub(/^# --- | ---$$/, ""); print "\n" $$0 } \
		/^[a-z]+:.*## / { printf "  make %-9s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): tests/uv.txt tests/requirements.txt functions/snapshot/requirements.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x ...")'
	@echo 'Installing the tools into .venv (once) ...' >&2
	@! test -L .venv || rm .venv # the link: what it leads to is not ours
	@"$(PYTHON)" -I -m venv --clear .venv
	@$(WITH_PACKAGES) $(TOOLS)/python -m pip install --quiet --require-hashes --requirement $< || $(NOT_INSTALLED)
	@$(INSTALL) --python $(TOOLS)/python $(patsubst %,--requirement %,$(filter %/requirements.txt,$^)) || $(NOT_INSTALLED)
	@{ $(PLACE); } > $@

$(SCANNERS): $(READY) tests/scanners/requirements.txt
	@echo 'Installing the scanners into .venv/scanners (once) ...' >&2
	@$(WITH_PACKAGES) $(TOOLS)/uv venv --quiet --clear --python $(TOOLS)/python $(dir $@)
	@$(INSTALL) --python $(dir $@)bin/python --requirement tests/scanners/requirements.txt || $(NOT_INSTALLED)
	@touch $@

$(MUTATION): $(READY) tests/mutation/requirements.txt
	@echo 'Installing mutmut into .venv/mutation (once) ...' >&2
	@$(WITH_PACKAGES) $(TOOLS)/uv venv --quiet --clear --python $(TOOLS)/python $(dir $@)
	@$(INSTALL) --python $(dir $@)bin/python --requirement tests/mutation/requirements.txt || $(NOT_INSTALLED)
	@touch $@

# Build again after a module was deleted: no remaining file is newer than the build.
ifneq ($(shell cat .aws-sam/modules 2> /dev/null),$(MODULES))
.PHONY: $(BUILT)
endif
$(BUILT): $(READY) template.yaml functions/snapshot/Makefile functions/snapshot/requirements.txt $(MODULES)
	@echo 'Building the function ...' >&2
	@$(WITH_PACKAGES) env PYTHON="$$(pwd)/$(TOOLS)/python" $(TOOLS)/sam build > .venv/build.log 2>&1 || { cat .venv/build.log >&2; exit 1; }
	@echo $(MODULES) > .aws-sam/modules
	@sed -n '/^Note: /p' .venv/build.log >&2
