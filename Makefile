# Makefile: the two commands (make demo, make test) and what they are made of.
SHELL := /bin/bash
PYTHON := .venv/bin/python
JOBS ?= 2
FUZZ_RUNS ?= 1000000
export PLAIT_BUILD_JOBS := $(JOBS)
# Compilations are found again in another clone, whatever folder it lies in.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help setup build demo test test-cpp test-cuda test-python lint format arm sanitize fuzz bench wheel clean

help:
	@echo "make demo      train, export, verify and report on real data: build/demo/report.html"
	@echo "make test      every test: lint, C++, Python, emulated Arm, sanitizers, CUDA kernels, fuzzing"
	@echo "make bench     every benchmark, into build/bench/"
	@echo "make lint      formatters, linters and type checkers, checking only"
	@echo "make format    formatters, writing"
	@echo "make arm       cross-compiles for 64-bit Arm; operators, a bundle and doctor under emulation"
	@echo "make sanitize  the C++ tests under ASan+UBSan and under TSan"
	@echo "make test-cuda the CUDA kernels without a GPU: emulated, and compiled for every target"
	@echo "make fuzz      the fuzz targets, FUZZ_RUNS=$(FUZZ_RUNS) executions each"
	@echo "make wheel     the distributable wheel, in build/wheel/"
	@echo "make clean     removes build/ and .venv/"

setup:
	@scripts/setup

build: setup
	@scripts/build

demo: build
	@$(PYTHON) scripts/demo.py

test: build
	@scripts/test

test-cpp: build
	@scripts/test cpp

test-cuda: build
	@scripts/test cuda

test-python: build
	@scripts/test python

lint: build
	@scripts/lint

format: setup
	@scripts/lint --write

arm: build
	@scripts/test arm

sanitize: build
	@scripts/test sanitize

fuzz: build
	@FUZZ_RUNS=$(FUZZ_RUNS) scripts/test fuzz

bench: build
	@scripts/bench

wheel: setup
	@$(PYTHON) -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w build/wheel . && ls -l build/wheel

clean:
	rm -rf build .venv
