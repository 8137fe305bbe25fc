# For contributors. Learners need only `python3 course.py`.
PYTHON = .venv/bin/python
LESSON = all
NAME = all

.PHONY: build run check bench assets evidence

build: ## notebooks/src and minqwen/check -> notebooks, exercises, solutions
	$(PYTHON) tools/build.py

run: ## build, then execute one lecture and store its outputs: make run LESSON=02
	$(PYTHON) tools/build.py run $(LESSON)

check: ## what needs no test run: format, lint, stale notebooks
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) tools/build.py check

bench: ## speed and memory beside peers, into benchmarks/RESULTS*.md; some minutes on a quiet machine
	$(PYTHON) benchmarks/run.py
	$(PYTHON) benchmarks/tokenizing.py
	$(PYTHON) benchmarks/deduplication.py
	$(PYTHON) benchmarks/cleaning.py
	$(PYTHON) benchmarks/flash.py
	$(PYTHON) benchmarks/growth.py
	$(PYTHON) benchmarks/aligning.py
	$(PYTHON) benchmarks/adapting.py

assets: ## corpus, vocabularies, checkpoint; each step says how long it takes before it starts
	$(PYTHON) tools/assets.py corpus
	$(PYTHON) tools/assets.py tokenizer
	$(PYTHON) tools/assets.py model
	$(PYTHON) tools/assets.py numbers
	$(PYTHON) tools/assets.py qwen-vocabulary

evidence: ## runs over several seeds that lessons read their ablations from, or one of them: make evidence NAME=block
	$(PYTHON) tools/evidence.py $(NAME)
