# make study: the whole study. make test: all tests. Both first make a virtual environment from exact pins.
PYTHON ?= python3
CORES ?= all
WORKERS ?= 2
# A thread for each of the tests' workers: Numba would set torch's number of threads, too, to that of all cores.
ALONE := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1
# A container's user may have no home, or one that cannot be written to, where Snakemake keeps a cache before it reads anything of ours.
ifeq ($(HOME),)
export HOME := $(CURDIR)/.snakemake/home
endif
ifeq ($(shell test -w "$${XDG_CACHE_HOME:-$$HOME}" && echo writable),)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif
# As a module: the script of that name begins with the path of its interpreter, which a long path or the shell's characters break.
SNAKEMAKE := python -m snakemake
# From the command line alone: a user's shell may have variables of these names.
CONFIG :=
ARCHIVE :=
# Of a study of yours: make study CONFIG=config/mine.yaml, and the same for plan, archive, check-results and report.
OVERLAY = $(if $(CONFIG),--configfile $(CONFIG))
SHIPPED := data/archive

.PHONY: study try explore plan figures archive ship pictures check-results test test-fast test-slow test-slurm benchmark docs lint format pins report clean

study: .venv/installed
	$(SNAKEMAKE) --cores $(CORES) $(OVERLAY)
	@echo "Open reports/study.html"

# A first result in minutes: one model, four tasks, three questions. In a folder of its own, beside any other study.
try: .venv/installed
	@mkdir -p try
	$(SNAKEMAKE) --cores $(CORES) --directory try --configfile config/try.yaml
	@echo "Open try/reports/study.html. The whole study: make study"

# θ in five minutes: a notebook on the small model, which is fetched if it is not there. The copy is yours to change.
explore: .venv/explore/installed
	@test -e results/smollm2-135m/weights || echo "Fetching SmolLM2 135M (98 MB) ..."
	$(SNAKEMAKE) --cores $(CORES) --quiet all -- results/smollm2-135m/weights
	@test -e explore.ipynb || cp docs/explore.ipynb explore.ipynb
	PYTHONPATH=workflow/scripts .venv/explore/bin/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) explore.ipynb

# What a study would take, before anything runs: make plan CONFIG=config/paper.yaml
plan: .venv/installed
	@python workflow/plan.py $(CONFIG)

# Every figure and the report from archived tables: no weights, no network. Of the full study: make figures ARCHIVE=full; of
# another: make figures ARCHIVE=mine.zip
figures: .venv/installed
	$(SNAKEMAKE) --cores $(CORES) --configfile config/archive.yaml $(if $(ARCHIVE),--config archive="$$(test -f "$(SHIPPED)/$(ARCHIVE).zip" && echo "$(SHIPPED)/$(ARCHIVE).zip" || echo "$(ARCHIVE)")")
	@echo "Open reports/study.html"

archive: .venv/installed
	$(SNAKEMAKE) --cores $(CORES) $(OVERLAY) -- reports/archive.zip

# The repository's own archives, after a run of the default study, or of the full one: make ship CONFIG=config/full.yaml
ship: archive
	mkdir -p $(SHIPPED)
	cp reports/archive_tables.zip $(SHIPPED)/$(or $(basename $(notdir $(lastword $(CONFIG)))),default).zip

# README's picture, from the figures that are there: those of the full study.
pictures:
	cp reports/figures/accuracy_bars.png $(SHIPPED)

# This study beside the archived one: equal, equal up to rounding, within interval or different.
check-results: .venv/installed
	$(SNAKEMAKE) --cores $(CORES) $(OVERLAY) -- results/check_results.csv

# All tests but those of test-slow and test-slurm; CONTRIBUTING.md tells the tiers.
test: .venv/installed
	$(ALONE) python -m pytest -n $(WORKERS) --dist loadfile tests/extremes tests/unit tests/benchmark
	$(ALONE) python -m pytest -n $(WORKERS) --dist worksteal tests/workflow

# No Snakemake, no weights: a minute on two cores.
test-fast: .venv/installed
	$(ALONE) python -m pytest -n $(WORKERS) --dist loadfile tests/unit

# Runs killed at ten points, run twice, run in another order, every class of transformers; about ten minutes.
test-slow: .venv/installed
	python -m pytest -m extended tests/unit tests/workflow

# The study through a SLURM of one node, which is installed and started for it (root, Debian); ten to thirty minutes.
test-slurm: .venv/installed
	python -m pytest -m slurm tests/cluster

# The engine beside the paper's algorithm and the libraries' habit, on real weights; six to twenty minutes.
benchmark: .venv/installed
	$(SNAKEMAKE) --cores $(CORES) --quiet all -- results/smollm2-135m/episodes/linguistic.jsonl
	PYTHONPATH=workflow/scripts:tests/unit python tests/benchmark/benchmark_engine.py

# The documentation as a site. Pages on settings and tables follow from the code, and config/README.md, too.
docs: .venv/installed
	python docs/generated.py
	python -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

lint: .venv/installed
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/Snakefile workflow/rules
	mypy
	$(SNAKEMAKE) --lint

format: .venv/installed
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/Snakefile workflow/rules

report: .venv/installed
	mkdir -p reports
	$(SNAKEMAKE) $(OVERLAY) --report reports/workflow.zip

.venv/installed: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed, $$($(PYTHON) --version) was found. Try: make PYTHON=python3.12 ..."; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@

# JupyterLab has an environment of its own, which sees the other: it would make every start of Snakemake a second slower.
.venv/explore/installed: .venv/installed
	$(PYTHON) -m venv .venv/explore
	.venv/explore/bin/python -m pip install --quiet --disable-pip-version-check -c envs/requirements.txt jupyterlab
	.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  "$$(.venv/explore/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/study.pth"
	touch $@

# Newest versions of what pyproject.toml asks for, pinned with all they need. Run it with the oldest Python supported, for
# instance make pins PYTHON=/usr/bin/python3.11: newer ones are offered versions that it cannot install.
pins:
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(PYTHON) -c 'import tomllib; groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; print("\n".join(name for key, group in groups.items() for name in group if key != "explore"))' > .venv/wanted.txt
	.venv/bin/python -m pip install --quiet -r .venv/wanted.txt
	{ echo "# Exact pins of the pip path: everything pyproject.toml asks for and all it needs. Written by 'make pins'."; \
	  .venv/bin/python -m pip freeze | sed 's/+cpu$$//'; } > envs/requirements.txt
	touch .venv/installed

clean:
	rm -rf results/* reports/* .snakemake
	git checkout -- results/README.md reports/README.md
