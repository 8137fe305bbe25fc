"""The lecture: what people open. Prose and code of the source; at an exercise, the way to it and back."""

import inspect
import pkgutil
from collections.abc import Mapping

from nbformat import NotebookNode

import lesson


def render(source: lesson.Lesson, exercises: Mapping, old: NotebookNode | None) -> NotebookNode:
    """The lecture of a source; a cell whose id and source stand in `old` keeps the outputs that it has there."""
    seconds = old.metadata.get("minqwen", {}).get("seconds", "?") if old else "?"
    cells = []
    for cell in source.cells:
        if cell.kind == "exercise":
            cells += _exercise(cell, exercises[cell.exercise])
        elif cell.kind == "code":
            cells.append(lesson.code(cell.source, cell.id, cell.tags))
        else:
            cells.append(lesson.markdown(cell.source.replace("{{seconds}}", str(seconds)), cell.id))
    built = lesson.notebook(cells)
    if old:
        _keep_outputs(built, old)
    return built


def _keep_outputs(built: NotebookNode, old: NotebookNode) -> None:
    if "minqwen" in old.metadata:
        built.metadata["minqwen"] = old.metadata["minqwen"]
    known = {cell.get("id"): cell for cell in old.cells if cell.cell_type == "code"}
    for cell in built.cells:
        before = known.get(cell.id)
        if cell.cell_type == "code" and before is not None and before.source == cell.source:
            cell.outputs, cell.execution_count = before.outputs, before.execution_count


def _exercise(cell: lesson.Cell, exercise) -> list[NotebookNode]:
    cells = [lesson.markdown(_callout(exercise), cell.id)]
    if cell.source:
        module, name = exercise.home.split(":")
        first = f"from {module} import {name}  # yours from my/{exercise.lesson} fits here just as well"
        cells.append(lesson.code(f"{first}\n\n{cell.source}", f"{cell.id}-use", cell.tags))
    return cells


def _callout(exercise) -> str:
    place = f"{exercise.lesson}/{exercise.lesson}.ipynb{lesson.anchor(lesson.plain(heading(exercise)))}"
    parts = [f"### ✎ Exercise {heading(exercise)}", exercise.why]
    if exercise.kind != "implement":
        parts.append(exercise.statement.strip())
    if exercise.kind == "bug":
        parts.append(f"```python\n{exercise.setup.strip()}\n```")
    parts.append(lesson.facts(exercise))
    parts.append(
        f"**[Do it in my/{exercise.lesson}](../my/{place})** ([read it on the web](../exercises/{place})), "
        f'then come back. Stuck? Run `hint("{exercise.name}")`, up to four times.'
    )
    parts.append(f"<details>\n<summary>After the exercise: {_folded(exercise)}\n```\n\n</details>")
    return "\n\n".join(parts)


def _folded(exercise) -> str:
    if exercise.home:
        function = inspect.unwrap(pkgutil.resolve_name(exercise.home))
        return f"the library's own source</summary>\n\n```python\n{inspect.getsource(function).strip()}"
    return f"the answer</summary>\n\n```python\n{exercise.solution.strip()}"


def heading(exercise) -> str:
    """Number and title, as every notebook writes them."""
    return f"{exercise.number} {exercise.title}"
