# The β-VAE thesis companion. `make help` lists the targets.
VENV ?= .venv
PYTHON ?=
EXTRAS ?=
PY := $(or $(PYTHON),$(VENV)/bin/python)
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONUSERBASE
unexport PYTHONDONTWRITEBYTECODE#  set in many containers; every process would compile TensorFlow's sources anew
test test-fast coverage lint format browser pdf: EXTRAS := test
# Variables of the command line and of the environment reach the recipes as they are.
given = $(if $(filter-out undefined file,$(origin $2)),$1 "$$$2")#  an option if its variable is given, be it empty

.DEFAULT_GOAL := help
# A misspelt variable would leave its default in place without a word: what no target reads is refused.
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
refused := $(if $(typed),$(shell sh tools/variables.sh $(firstword $(MAKEFILE_LIST)) "$(or $(MAKECMDGOALS),help)" "$(typed)"))
$(if $(refused),$(error $(refused)))
# What a target cannot do without is asked for here, before anything is installed.
needs = $(if $(filter $1,$(MAKECMDGOALS)),$(if $(value $2),,$(error make $1: $2=$3)))
$(call needs,page,CHAPTER,theory names a chapter; make help shows more)
$(call needs,chapter,CHAPTER,analytical names a chapter; make help shows more)
$(call needs,sweep,EXPERIMENT,mixing names an experiment; make sweeps trains all)
.PHONY: help env book page render notebooks pdf chapter sweep sweeps status publish claims doctor bench gpu-check browser test test-fast coverage lint audit \
	format lock serve clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env:  ## create .venv from requirements.lock (EXTRAS=test|gpu|bench|audit adds; PYTHON=python uses your own instead)
	@sh tools/env.sh "$(VENV)" "$(PYTHON)" "$(EXTRAS)"

book: env  ## execute the chapters that have changed and render the book into _build/html (PROFILE=thesis JOBS=1)
	@$(PY) -m betavae_workshop book $(call given,--profile,PROFILE) $(call given,--jobs,JOBS)

page: env  ## a first look: run one chapter, if it has changed, and render its page alone: CHAPTER=theory
	@$(PY) -m betavae_workshop page "$$CHAPTER"

render: env  ## render the chapters as they were executed last, wherever that was; executes nothing
	@$(PY) -m betavae_workshop book --render-only

pdf: env browser  ## print the book, without the pages of the package, into _build/betavae-companion.pdf
	@$(PY) -m betavae_workshop pdf

notebooks: env  ## write chapters as .ipynb for Colab into _build/notebooks (needs repository_url in _config.yml)
	@$(PY) -m betavae_workshop notebooks

chapter: env  ## run a chapter again: CHAPTER=analytical BETA=4 PARAMS="noise_std=0.5"
	@$(PY) -m betavae_workshop chapter "$$CHAPTER" $(call given,-p beta,BETA) $(call given,--params,PARAMS)

sweep: env  ## train what is missing of an experiment: EXPERIMENT=mixing BETA=3 ARGS="--realizations 5 --explain"
	@$(PY) -m betavae_workshop sweep "$$EXPERIMENT" $(call given,--profile,PROFILE) $(call given,--beta,BETA) $(ARGS)

sweeps: env  ## train what is missing of every experiment and of what the book shows beside it (PROFILE=thesis)
	@$(PY) -m betavae_workshop sweep $(call given,--profile,PROFILE) $(ARGS)

status: env  ## how much of each experiment there is, and from which store
	@$(PY) -m betavae_workshop status $(call given,--profile,PROFILE) $(ARGS)

publish: env  ## merge stored members into data/results, which git tracks
	@$(PY) -m betavae_workshop publish $(call given,--profile,PROFILE) $(ARGS)

claims: env  ## print each claim of the thesis with the verdict of the last build
	@$(PY) -m betavae_workshop claims

doctor: env  ## say what a report of a fault needs to say of this machine, and what is wrong with it
	@$(PY) -m betavae_workshop doctor

bench: env  ## time training beside Keras, PyTorch and JAX (EXTRAS=bench); writes data/bench.json (ONLY=mixing CONTENDER=jax)
	@$(PY) -m betavae_workshop bench $(call given,--only,ONLY) $(call given,--contender,CONTENDER) --json data/bench.json

gpu-check:  ## on a machine with an NVIDIA GPU: install what it needs, check and time training there (LIBRARY=jax)
	@command -v nvidia-smi >/dev/null || { echo "make gpu-check: no NVIDIA GPU here (nvidia-smi is not found)" >&2; exit 2; }
	@sh tools/env.sh "$(VENV)" "$(PYTHON)" $(if $(PYTHON),"",gpu)
	@$(PY) -m betavae_workshop gpu-check $(call given,--library,LIBRARY) --json _build/gpu.json

browser: env  ## have a Chromium for the tests and the PDF: one on PATH, else Debian's as root, else playwright's own
	@sh tools/browser.sh "$(PY)"

test: env browser  ## run the whole test suite
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-fast: env browser  ## run the tests that need neither a whole book nor a full training
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow"

coverage: env browser  ## run the fast tests and write which lines they reach into _build/coverage.md
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" --cov=betavae_core --cov=betavae_workshop --cov-report=markdown:_build/coverage.md

lint: env  ## check style, format and, in the exact mathematics and the sweeps, types
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m basedpyright

audit:  ## look the pinned versions up in a database of known vulnerabilities (needs internet)
	@sh tools/env.sh "$(VENV)" "$(PYTHON)" $(if $(PYTHON),"",audit) && sh tools/audit.sh $(PY)

format: env  ## put the code into the house format
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

COMPILE = pip compile --universal --python-version 3.11 --generate-hashes -q --custom-compile-command "make lock"
lock: env  ## resolve pyproject.toml into requirements.lock and its companions
	@$(PY) -m uv $(COMPILE) --extra cluster pyproject.toml -o requirements.lock
	@$(PY) -m uv $(COMPILE) --extra cluster --extra test -c requirements.lock pyproject.toml -o requirements-test.lock
	@$(PY) -m uv $(COMPILE) --extra cluster --extra gpu -c requirements.lock pyproject.toml -o requirements-gpu.lock
	@echo pip-audit | $(PY) -m uv $(COMPILE) -c requirements.lock - -o requirements-audit.lock
	@echo uv | $(PY) -m uv $(COMPILE) - -o requirements-uv.lock

serve: env  ## show the built book at http://127.0.0.1:8000 (PORT=8001 for another port)
	@$(PY) -m betavae_workshop serve $(call given,--port,PORT)

clean:  ## remove everything that was built (_build)
	rm -rf _build
