# One word to do a thing. Everything a target needs is set up by the target itself.
PYTHON ?= python3
BIN := .venv/bin

unexport PYTHONDONTWRITEBYTECODE    # tests whose assertions are rewritten are kept: collecting them again takes half as long

.PHONY: demo test unit lint bench soak sandbox up lock schemas
demo: .venv/.ready
	@$(BIN)/python -m connector.demo

test: lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder    # brokers and sessions are waited for: three files at once on two cores

unit: .venv/.ready    # what takes neither a broker nor a browser nor long (tests/slow.txt)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not kafka and not browser and not slow"

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python -m tests.bench

sandbox: .venv/.ready
	@$(BIN)/mplus-connector sandbox

soak: .venv/.ready    # a crash before and after every call, then the kill tests, each for an hour: make soak SOAK_SECONDS=3600
	SOAK_SECONDS=$(or $(SOAK_SECONDS),3600) $(BIN)/python -m pytest -s tests/e2e/test_*every_step.py tests/e2e/test_kill.py tests/e2e/test_late.py tests/e2e/test_neighbours.py tests/e2e/test_commands_kill.py tests/e2e/test_commands_chaos.py tests/views/test_lives.py

up:    # Kafka, the simulated POS, the connector, its views, Prometheus and Grafana in containers, with either generation of the compose command
	@if docker compose version >/dev/null 2>&1; then docker compose up --build; else docker-compose up --build; fi

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; say which with: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:    # renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--all-extras --upgrade pyproject.toml -o requirements.lock

schemas: .venv/.ready    # renew the schemas of entities, commands and results from a WSDL: make schemas WSDL=path/to/mplusqapi.wsdl
	$(BIN)/python schemas/generate.py $(WSDL)
