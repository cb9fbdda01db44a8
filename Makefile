# The front door: every target prepares what it needs and calls CMake. ./run does the same with nothing but sh.

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PYTHON ?= python3
CONFIGURE = cmake --preset

.PHONY: all configure setup demo check check-full asan tsan coverage bench torture storm pool-storm loops-storm tree-storm keeper-storm starts soak models install fmt lint docs clean

all: configure
	@cmake --build build -j $(JOBS)

# One configure a checkout: CMake itself notices changed build files and new tests.
configure:
	@test -f build/build.ninja || $(CONFIGURE) release

setup:
	@tools/setup

demo: setup
	@$(MAKE) --no-print-directory configure
	@cmake --build build -j $(JOBS) --target plait-tool --target plait-demo
	@examples/demo/run

check: setup
	@tools/check

check-full:
	@tools/setup --full
	@tools/check --full

asan tsan: setup
	@$(CONFIGURE) $@ >/dev/null
	@cmake --build build/$@ -j $(JOBS)
	@cd build/$@ && ctest --output-on-failure -LE 'scripts|install|bench'

coverage: setup
	@tools/coverage

bench: all
	@bench/setup
	@$(PYTHON) bench/run.py

torture: all
	@tests/torture/run

# make storm KILLS=1000000, SECONDS=600, SEED=1: what comes first ends it.
storm: all
	@PLAIT_KILLS=$(KILLS) PLAIT_SECONDS=$(SECONDS) PLAIT_SEED=$(SEED) tests/torture/storm

# make pool-storm KILLS=100000, SEED=1; fifty jobs for each kill.
pool-storm: all
	@PLAIT_KILLS=$(KILLS) PLAIT_SEED=$(SEED) tests/torture/pool_storm

# make loops-storm KILLS=10000, SECONDS=600, SEED=1: what comes first ends it.
loops-storm: all
	@PLAIT_KILLS=$(KILLS) PLAIT_SECONDS=$(SECONDS) PLAIT_SEED=$(SEED) tests/torture/loops_storm

# make tree-storm KILLS=10000, SECONDS=600, SEED=1: what comes first ends it.
tree-storm: all
	@PLAIT_KILLS=$(KILLS) PLAIT_SECONDS=$(SECONDS) PLAIT_SEED=$(SEED) tests/torture/tree_storm

# make keeper-storm ROUNDS=600, SECONDS=600, SEED=1: what comes first ends it.
keeper-storm: all
	@PLAIT_ROUNDS=$(ROUNDS) PLAIT_SECONDS=$(SECONDS) PLAIT_SEED=$(SEED) tests/torture/keeper_storm

# make starts STARTS=10000: of processes, by each method, and of other programs; nothing grows.
starts: all
	@PLAIT_STARTS=$(STARTS) tests/torture/starts

# make soak SECONDS=86400: as much memory and as many descriptors at the end as at the beginning.
soak: all
	@PLAIT_SECONDS=$(SECONDS) tests/torture/soak

models: setup
	@models/run

install: all
	@DESTDIR=$(DESTDIR) cmake --install build --prefix $(PREFIX)

fmt:
	@find src include tests bench examples -name '*.[ch]' -exec clang-format -i {} +

lint: configure
	@tools/lint

docs: all
	@$(PYTHON) tools/docs.py --out build/docs

clean:
	@rm -rf build
