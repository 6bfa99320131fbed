# One-line verbs; all settings stand in pyproject.toml, all versions in .requirements.txt.
PYTHON ?= python3.11
RECIPE ?= hal_c3003
SCALE ?= demo
OUT ?= runs
PROCESSES ?= 2
READY = .venv/.ready
DEVICE = .venv-device/.ready
RUN_IN = .venv/bin/

help: ## say what each verb does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with every pinned package

train-hairy: $(READY) ## train and report; DATA= RECIPE= SCALE=demo|full WEIGHTS= SEED= OUT= SET="field=value ..."
	$(RUN_IN)lab-models train --open --recipe $(RECIPE) --scale $(SCALE) --out $(OUT) $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(SEED),--seed $(SEED)) $(foreach s,$(SET),--set $(s))

compare-hairy: $(READY) ## train HAL-R, HAL-T, HAL-C on the same data, beside the study's table; DATA= SCALE= SEEDS="0 1 2" WEIGHTS= OUT= SET=
	$(RUN_IN)lab-models compare-study --scale $(SCALE) --out $(OUT) $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(SEEDS),--seeds $(SEEDS)) $(foreach s,$(SET),--set $(s))

sanity: $(READY) ## the shortcut test: the cell or the database? DATA= SCALE= SEEDS="0 1 2" WEIGHTS= SET=
	$(RUN_IN)lab-models sanity --scale $(SCALE) $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(SEEDS),--seeds $(SEEDS)) $(foreach s,$(SET),--set $(s))

tflite: $(READY) ## turn a run into bundles for the device; RUN= (the newest run), OUT=, QUANT="int8_full int8_qat ...", CURE=auto
	$(RUN_IN)lab-models export $(RUN) --runs-folder $(OUT) $(foreach q,$(QUANT),--quantization $(q)) $(if $(CURE),--cure $(CURE))

test: $(READY) ## the fast tests; PROCESSES=2 at once
	$(RUN_IN)pytest -n $(PROCESSES) --dist loadfile

test-slow: $(READY) ## the slow tests
	$(RUN_IN)pytest -m slow --timeout 3600

test-device: $(DEVICE) ## the device runtime's tests, in an environment without TensorFlow
	.venv-device/bin/pytest -m "device and not slow" tests/tflite/runtime

lint: $(READY) ## ruff, rules and format
	$(RUN_IN)ruff check . && $(RUN_IN)ruff format --check .

types: $(READY) ## mypy
	$(RUN_IN)mypy

format: $(READY) ## put the code in form
	$(RUN_IN)ruff check --fix . ; $(RUN_IN)ruff format .

bench: $(READY) ## measure speed: augmentation, inspection, synthesis, training step, evaluation; writes bench/*.csv
	$(RUN_IN)lab-models bench

bench-device: $(READY) ## float32 and int8 of the studies' networks beside onnxruntime and OpenVINO; writes bench/device.csv
	$(RUN_IN)lab-models bench-device

clean: ## remove environments and caches; runs and data stay
	rm -rf .venv .venv-device build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): .requirements.txt setup.py
	$(PYTHON) -m venv .venv && .venv/bin/pip install -q -r .requirements.txt && .venv/bin/pip install -q --no-deps --no-build-isolation -e . && touch $@

$(DEVICE): .requirements.txt setup.py
	$(PYTHON) -m venv .venv-device && .venv-device/bin/pip install -q -c .requirements.txt setuptools wheel pytest pytest-timeout && .venv-device/bin/pip install -q -c .requirements.txt --no-build-isolation -e .[device] && touch $@

.PHONY: help setup train-hairy compare-hairy sanity tflite test test-slow test-device lint types format bench bench-device clean
.DEFAULT_GOAL := help
