"""Build the notebooks from their sources, run them, check them.

    python tools/build.py           write notebooks/, solutions/ and exercises/ from notebooks/src/
    python tools/build.py run 02    the same, then execute lecture 02 and store its outputs (`run all`: every one)
    python tools/build.py check     fail and name the notebooks that differ from what a build would write

A source is jupytext's percent format, notebooks/src/NN_topic.py:

    # %%                         code                # %% [markdown]    prose, between triple quotes or behind "# "
    # %% tags=["setup"]          code that the student's notebooks need as well: imports, the model
    # %% exercise="apply_rope"   an exercise of minqwen.check, under the "## " section it belongs to. Its body uses the
                                 learner's function (`with using(apply_rope): ...`); only implement exercises have one
    # %% id="softmax-gradient"   a cell with a name, for claims.toml; every other id is a hash of section and text
    # %% tags=["nbval-ignore-output"]   this and nbval-check-output go through to the lecture. A cell that raises would
                                 stop Run All in JupyterLab: catch the error and print it

The first cell is prose and begins with "# title"; `{{seconds}}` in prose becomes the measured time of the last run.
Folded answers are <details> with empty lines around the Markdown inside. Code never ends in ";"; plots end in
plt.show() or show.*.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

import assignment
import execute
import lecture
import lesson

ROOT = Path(__file__).resolve().parent.parent


def lessons(root: Path, exercises: Mapping) -> list[lesson.Lesson]:
    """Every source under notebooks/src/, each with just the exercises that are registered for it."""
    found = [lesson.read(path) for path in sorted((root / "notebooks" / "src").glob("*.py"))]
    for source in found:
        stands = [cell.exercise for cell in source.exercises]
        listed = [name for name, exercise in exercises.items() if exercise.lesson == source.stem]
        if sorted(stands) != sorted(listed):
            odd = ", ".join(sorted(set(stands) ^ set(listed)) or sorted(stands))
            raise ValueError(
                f"{source.stem}.py and minqwen/check do not hold the same exercises, each once: {odd}; "
                'write one cell `# %% exercise="..."` for each exercise of the lesson'
            )
        full = [c.exercise for c in source.exercises if c.source and exercises[c.exercise].kind != "implement"]
        if full:
            raise ValueError(
                f"{source.stem}.py: {', '.join(full)} would show its answer; "
                "only an implement exercise has code in its cell, move it to a cell of its own"
            )
    return found


def expected(root: Path, exercises: Mapping) -> dict[str, NotebookNode]:
    """What a build writes: notebooks by their path under root. Outputs of unchanged lecture cells are kept."""
    sources = lessons(root, exercises)
    built = {}
    for source in sources:
        path = root / "notebooks" / f"{source.stem}.ipynb"
        old = nbformat.read(path, 4) if path.exists() else None
        built[f"notebooks/{path.name}"] = lecture.render(source, exercises, old)
    teachers = {source.stem: assignment.render(source, exercises) for source in sources if source.exercises}
    students = assignment.release(ROOT / "nbgrader_config.py", teachers)
    built |= {f"solutions/{stem}/{stem}.ipynb": notebook for stem, notebook in teachers.items()}
    return built | {f"exercises/{stem}/{stem}.ipynb": notebook for stem, notebook in students.items()}


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook, unless just this stands there already."""
    text = nbformat.writes(notebook, 4) + "\n"
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


def build(root: Path, exercises: Mapping) -> None:
    """Bring notebooks/, solutions/ and exercises/ up to date."""
    for name, notebook in expected(root, exercises).items():
        write(root / name, notebook)


def run(root: Path, exercises: Mapping, number: str) -> None:
    """Execute lectures ("02" or "all") and store what they show."""
    chosen = [s for s in lessons(root, exercises) if number == "all" or s.stem.split("_")[0] == number]
    if not chosen:
        raise ValueError(f"there is no lesson {number} in notebooks/src/; give its two digits, or `all`")
    for source in chosen:
        path = root / "notebooks" / f"{source.stem}.ipynb"
        notebook = nbformat.read(path, 4)
        seconds = execute.run(notebook, path.parent)
        for number, (spent, cell) in enumerate(zip(seconds, notebook.cells), start=1):
            if spent > 5:
                print(f"  cell {number}: {spent:.0f} s  {cell.source.splitlines()[0]}")
        print(f"{source.stem}: {sum(seconds):.1f} s")
        write(path, lecture.render(source, exercises, notebook))


def problems(root: Path, exercises: Mapping) -> list[str]:
    """What is stale, left over or never executed, a sentence each."""
    built = expected(root, exercises)
    found = []
    for name, notebook in built.items():
        path = root / name
        if not path.exists() or _compared(name, nbformat.read(path, 4)) != _compared(name, notebook):
            found.append(f"{name} is stale: run python tools/build.py")
        elif name.startswith("notebooks/"):
            cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
            new = sum(cell.execution_count is None for cell in cells)
            if new:
                found.append(
                    f"{name} has {new} cells that were never executed: run python tools/build.py run {path.name[:2]}"
                )
    on_disk = [*root.glob("notebooks/*.ipynb"), *root.glob("exercises/*/*.ipynb"), *root.glob("solutions/*/*.ipynb")]
    left = {path.relative_to(root).as_posix() for path in on_disk} - set(built)
    return found + [f"{name} has no source: delete it, or write notebooks/src/" for name in sorted(left)]


def _compared(name: str, notebook: NotebookNode) -> object:
    """Of a lecture sources, ids and tags: outputs and times differ between machines. Of the rest, everything."""
    if not name.startswith("notebooks/"):
        return notebook
    return [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", nargs="?", choices=["build", "run", "check"], default="build")
    parser.add_argument("number", nargs="?", default="all", help="the lesson to run: 02, or all")
    arguments = parser.parse_args()
    from minqwen.check import EXERCISES  # imports torch, which --help need not wait for

    try:
        if arguments.action == "check":
            found = problems(ROOT, EXERCISES)
            print("\n".join(found) or "every notebook is what its source says, and was executed")
            return bool(found)
        build(ROOT, EXERCISES)
        if arguments.action == "run":
            run(ROOT, EXERCISES, arguments.number)
    except (ValueError, CellExecutionError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
