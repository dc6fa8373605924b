# Everything a user does, one word each. `make` needs Python 3.11 or newer and git; the rest it installs into .venv.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export UV_HTTP_TIMEOUT ?= 180
export HF_HUB_DISABLE_TELEMETRY := 1
PLACE = $(if $(DATA),--set data.data_root=$(abspath $(DATA))) $(foreach change,$(SET),--set '$(change)')
# the stages of the drawn study are small: two at once, each of two threads, end sooner on two cores than one by one
JOBS ?= $(if $(PROFILE),1,2)
SIDE = $(JOBS) --launch '$(LAUNCH)'
# UV_TORCH_BACKEND=cpu takes PyTorch's build without CUDA, which is then left out of the lock as well
LOCK = grep -vE '$(if $(filter cpu,$(UV_TORCH_BACKEND)),^(cuda|nvidia|triton),^$$)' requirements.lock

.PHONY: study plan smoke photographs test test-slow chaos lint bench lab scenes site release lock clean

study: .venv/ready  ## the whole study; PROFILE=name, DATA=folder, SET='a.b=1 c.d=2': other values, in a copy; JOBS=1; LAUNCH
ifdef PROFILE
	python -m eqlib.study.profile $(PROFILE) $(PLACE) --jobs $(SIDE)
else
	python -m eqlib.study.check  # a stage as well; DVC does not get as far where a list that it runs over is none
	python -m eqlib.study.mend
ifneq ($(JOBS)$(LAUNCH),1)
	dvc repro --quiet source  # what all others depend on, and which seldom comes out changed
	python -m eqlib.study.jobs $(SIDE)
endif
	dvc repro
	@echo "report: reports/index.html"
endif

plan: .venv/ready  ## what `make study` with the same words will take; fails where an input is missing
	python -m eqlib.study.plan $(PROFILE) $(PLACE)

smoke: .venv/ready  ## the same pipeline in 3 minutes, in a copy under scratch/
	python -m eqlib.study.profile smoke

photographs: .venv/ready  ## the same pipeline on Flickr8k and AURORA: make photographs DATA=folder-that-holds-both
	python -m eqlib.study.profile photographs --set data.data_root=$(abspath $(DATA))

test: lint  ## lint and the test suite
	OMP_NUM_THREADS=1 pytest -q -rs -n 2 --dist loadfile tests

test-slow: .venv/ready  ## the large sizes of the slow tests
	pytest -q -m slow tests

chaos: .venv/ready  ## faults at random moments of a small study, and what became of each: COUNT, SEED, MINUTES, TARGET
	python tests/chaos.py --count $(or $(COUNT),40) --seed $(or $(SEED),0) --minutes $(or $(MINUTES),60) \
	  --target $(or $(TARGET),report)

lint: .venv/ready
	ruff check .
	ruff format --check .
	mypy

bench: .venv/ready  ## speed, as ratios in one run
	pytest tests/speed --benchmark-only --benchmark-disable-gc --benchmark-columns=median,min,max,rounds -p no:xdist

scenes: .venv/ready  ## N drawn captioned pictures as tar shards in OUT
	python -m eqlib.study.scenes $(or $(OUT),scratch/scenes) $(N)

lab: .venv/ready  ## JupyterLab on the repository, opened at the overview
	jupyter lab --ServerApp.root_dir=$(CURDIR) --LabApp.default_url=/lab/tree/notebooks/00_overview.ipynb

site: .venv/ready  ## the documentation, into site/
	uv pip install --quiet --python .venv/bin/python --group docs
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet --strict
	@echo "site: site/index.html"

release: .venv/ready  ## wheel, report and models of an up-to-date study, with checksums, into dist/
	python -m eqlib.study.report.fresh
	python -m eqlib.study.release

.venv/ready: requirements.lock pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet uv
	$(LOCK) | .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python -r -
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps -e .
	-git config filter.bare.clean '.venv/bin/python -m eqlib.study.notebook bare'  # running notebooks leaves git clean
	touch $@

lock:  ## requirements.lock and environment.yml from pyproject.toml
	uv pip compile pyproject.toml --all-extras --universal --no-annotate --no-header --quiet --output-file requirements.lock
	{ printf 'name: eqlib\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'; \
	  sed 's/.*/      - "&"/' requirements.lock; } > environment.yml

clean:  ## what a study leaves outside git
	rm -rf build data scratch site
