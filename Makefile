# Everything is run by uv, in .venv, from uv.lock; uv itself is fetched from PyPI where the machine has none.
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)
UV := $(shell command -v uv || echo $(CURDIR)/.tools/bin/uv)
RUN := $(UV) run --no-sync

# What is true of the full ffmpeg has to be true of the small one.
FFMPEG_TESTS := $(addprefix tests/separator/test_,channels.py clock.py chains.py corpus.py containers.py covers.py damage.py encoder_delay.py encoders.py formats.py sample_formats.py spoofed_tags.py tags.py tag_sources.py tracks.py)

.PHONY: help sync demo screenshots test coverage mutants chaos attack fuzz test-deploy dist test-dist ffmpeg dist-ffmpeg test-ffmpeg bench-ffmpeg sanitize lint docs bench bench-scaling endurance stack-up stack-down sbom

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(CURDIR)/.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/docker/uv.txt

define need_compiler
	@command -v g++ >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y g++ >/dev/null; \
	else echo "The kernels need a C++ compiler: apt-get install g++" >&2; exit 1; fi
endef

# Compiled at install: where bytecode may not be written later, every start would compile TensorFlow anew.
sync: $(UV) ## install everything into .venv
	$(need_compiler)
	$(UV) sync --locked --all-extras --compile-bytecode --quiet
	@$(RUN) env -u PYTHONDONTWRITEBYTECODE python -m compileall -q consumer kernels/src

# Without TensorFlow and what development needs; where those are installed already, they stay.
demo: $(UV) ## a song through the whole service, on an embedded broker and object store
	$(need_compiler)
	@$(UV) sync --locked --inexact --no-dev --extra separator --extra demo --extra gateway --quiet
	@$(RUN) env -u PYTHONDONTWRITEBYTECODE python -m demo

test: sync ## every test, on real Kafka and real MinIO
	$(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

coverage: sync ## which lines and branches of the service the quick tests don't run
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n 3 --dist loadfile tests/unit tests/property tests/contract tests/schemas
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

mutants: sync ## change the service one small way at a time: which changes do the tests not notice? takes half an hour
	$(RUN) python -m tests.mutation

# CHAOS_SEEDS=n: so many schedules; CHAOS_SEED=n: that one again.
chaos: sync ## replicas, broker and object store killed, frozen and cut off, by schedules from seeds; takes an hour
	$(RUN) pytest tests/chaos -m "long or not long"

attack: sync ## every attack that is tried on the service, by name, and what held
	$(RUN) pytest -m attack -v

fuzz: sync ## bytes that are made up, for about an hour, to whatever reads strangers' bytes first
	HYPOTHESIS_PROFILE=fuzz $(RUN) pytest tests/fuzz -n 2 --timeout 7200

endurance: sync ## one separator for 500 jobs, and for a track of three hours: does its memory grow?
	$(RUN) pytest tests/separator/test_endurance.py -m "long or not long"

test-deploy: sync ## the shipped image, Compose file and manifests, in a real engine and on a real API server
	$(RUN) pytest tests/deployed -m deploy

# The tests run the wheels for aarch64 in an emulator.
CROSS := $(if $(filter aarch64,$(shell uname -m)),g++-x86-64-linux-gnu,g++-aarch64-linux-gnu)
define install_tools
	@(for tool in $(1); do command -v $$tool >/dev/null || exit 1; done) || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $(2) >/dev/null; \
	else echo "Missing: apt-get install $(2)" >&2; exit 1; fi
endef

dist: sync ## wheels and sdists of the service, and of its kernels for x86-64 and aarch64, checked, into dist/
	$(call install_tools,x86_64-linux-gnu-g++ aarch64-linux-gnu-g++,$(CROSS))
	$(RUN) python -m harness.dist dist

test-dist: sync ## the wheels in bare environments of each Python that is here; those for aarch64 in an emulator
	$(call install_tools,x86_64-linux-gnu-g++ aarch64-linux-gnu-g++ qemu-aarch64 qemu-x86_64,$(CROSS) qemu-user)
	$(RUN) pytest tests/dist -m "dist or not dist"

ffmpeg: sync ## an ffmpeg for sound alone, under the LGPL: built once, in a few minutes, and kept
	$(call install_tools,ld make nasm pkg-config,binutils make nasm pkg-config)
	@$(RUN) python -m small_ffmpeg

dist-ffmpeg: ffmpeg ## that ffmpeg as a wheel, into dist/
	$(UV) build --quiet --wheel --out-dir dist small_ffmpeg

test-ffmpeg: ffmpeg ## does that ffmpeg hear what the full one hears, and do the tests of sound hold with it? takes half an hour
	$(RUN) pytest tests/ffmpeg -m ffmpeg
	PYTHONPATH=small_ffmpeg/src $(RUN) pytest $(FFMPEG_TESTS)

bench-ffmpeg: ffmpeg ## that ffmpeg beside the full one: size, start, decoding, encoding, and what a job costs at least
	$(RUN) python -m bench.ffmpeg

sanitize: sync ## the kernels' tests on kernels that report each wrong address and undefined behaviour
	$(RUN) pytest tests/separator/test_sanitized_kernels.py

sbom: sync ## bills of materials (CycloneDX) of the wheel and of IMAGES that Docker has here, into dist/sbom/, and the list of third-party licences
	$(RUN) python -m harness.supply_chain
	$(RUN) python -m harness.image_bill $(IMAGES)

lint: sync ## style, types and who may import whom
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports

screenshots: sync ## pictures of the page for docs/: each view, light and dark, on a phone and on a desk
	@$(RUN) python -m harness.page_pictures

docs: sync ## these pages as a site, into site/; a link or an anchor that leads nowhere fails
	$(RUN) zensical build --clean --strict

bench: ffmpeg ## this engine beside Spleeter's own, what delivery costs, and what a gateway holds, what the sandbox costs
	$(RUN) python -m bench
	$(RUN) python -m bench.gateway
	$(RUN) python -m bench.sandbox

bench-scaling: sync ## replicas from none to six and back by a real KEDA: by requests, and by expected work
	$(RUN) python -m bench.scaling

stack-up: sync ## real Kafka on 127.0.0.1:9092 and real MinIO on 127.0.0.1:9000
	$(RUN) python -m devstack up

stack-down: sync ## end them and remove their data
	$(RUN) python -m devstack down
