"""Lesson 00 as a newcomer meets it: everything runs to the end, and nothing red is seen. Oracle: the page itself."""

import shutil

from test_lesson_01 import CELLS, ROOT, RUN_ALL

OUTPUTS = """index => {
    const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
    return cell.model.outputs.toJSON().map(output => output.name || output.output_type);
}"""
WRITE_AND_RUN = """async ([index, source]) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.widgets[index].model.sharedModel.setSource(source);
    for (const i of [index, index + 1]) {
        notebook.deselectAll();
        notebook.activeCellIndex = i;
        await window.jupyterapp.commands.execute('notebook:run-cell');
    }
}"""
SAYS = """([index, words]) => JSON.stringify(
    window.jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON()
).includes(words)"""
WRONG = "    return (values * mask).sum(dim=-1) / mask.sum()"
RIGHT = "    return (values * mask).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)"


def opened(page, address, name):
    own = name.removesuffix(".ipynb")  # a workspace of its own, or the tab of the test before is opened too
    page.goto(address.format(path=f"lab/workspaces/{own}/tree/{name}"))
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached")
    page.evaluate(RUN_ALL)
    return page.evaluate(CELLS)


def test_run_all_reaches_the_end_and_no_warning_is_seen(lab, page):
    folder, address = lab
    shutil.copy(ROOT / "notebooks" / "00_start.ipynb", folder)
    cells = opened(page, address, "00_start.ipynb")
    assert [cell["source"] for cell in cells if cell["failed"] or (cell["source"] and cell["count"] is None)] == []
    code = [i for i, cell in enumerate(cells) if cell["count"]]
    assert [cells[i]["source"] for i in code if {"stderr", "error"} & set(page.evaluate(OUTPUTS, i))] == []
    page.get_by_label("sentence").wait_for()


def test_a_newcomer_gets_the_exercise_wrong_reads_why_and_gets_it_right(lab, page):
    folder, address = lab
    shutil.copy(ROOT / "exercises" / "00_start" / "00_start.ipynb", folder / "mine.ipynb")
    cells = opened(page, address, "mine.ipynb")
    [index] = [i for i, cell in enumerate(cells) if cell["source"].startswith("def masked_mean")]
    stub = cells[index]["source"].split("    raise NotImplementedError")[0]
    for body, said in (
        (WRONG, "each row is divided by the count of all rows together"),
        (RIGHT, "0.2 masked_mean: right."),
    ):
        page.evaluate(WRITE_AND_RUN, [index, stub + body])
        assert page.wait_for_function(SAYS, arg=[index + 1, said]), said
