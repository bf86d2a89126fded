# RASNet: `make demo` segments a video, `make test` runs every check. Each sets up .venv by itself, once.
#
#   make demo    instruments of the sample clip: demo/overlay.mp4 and what else is in demo/
#   make test    formatting, lint, types and tests
#   make lint    formatting, lint and types alone
#   make bench   speed and memory: monai_bundle/docs/performance.md; BENCH='--add gpu.json' adds another machine's figures
#   make clean   removes what the others made
#
# PYTHON=python3.12 chooses the Python (3.10 or later) that .venv is made with.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test lint bench clean

demo: .venv/demo.stamp
	$(BIN)/python -m monai.bundle run --config_file monai_bundle/configs/inference.yaml \
		--logging_file monai_bundle/configs/logging.conf \
		--dataset_dir Resources/sample_clip.mp4 --output_dir demo/case
	$(BIN)/rasnet overlay demo/case demo/overlay.mp4
	$(BIN)/rasnet report demo/case demo
	$(BIN)/rasnet export demo/case demo/instruments.seg.nrrd --format seg_nrrd
	@$(BIN)/python -c "import slicerio; segments = slicerio.read_segmentation('demo/instruments.seg.nrrd')['segments']; \
		print('demo/instruments.seg.nrrd holds', ', '.join(segment['name'] for segment in segments))"
	@$(BIN)/rasnet tracks demo/case --progress none
	@echo "Look at demo/overlay.mp4, demo/contact_sheet.png and demo/timeline.png."

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2

lint: .venv/test.stamp
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: .venv/bench.stamp
	$(BIN)/python Testing/benchmarks/performance.py $(BENCH)

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch goes first and alone, so that what needs it finds it there, and cannot choose another build of it.
.venv/demo.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'RASNet needs Python 3.10 or later; \
	run make PYTHON=python3.12, or whichever you have, not ' + sys.version.split()[0])"
	@echo "Setting up .venv (once; 1.5 to 2.5 GB)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) --editable '.[torch,report,seg-nrrd]'
	touch $@

.venv/bench.stamp: .venv/demo.stamp
	$(PIP) --editable '.[torch,cpu,report,seg-nrrd]'
	touch $@

.venv/test.stamp: .venv/demo.stamp
	$(PIP) --editable '.[torch,convert,report,seg-nrrd,coco,dicom,yolo,ray,test]'
	touch $@
