"""Lesson 01 as a learner meets it: real JupyterLab, real keys. Oracle: the values that the kernel holds afterwards."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from minqwen import show
from minqwen.model import Qwen
from minqwen.tokenizer.tokenizer import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
TINY_QWEN = ROOT / "minqwen" / "assets" / "tiny-qwen"
SENTENCE = "床前明月光"

RUN_ALL = """async () => {
    const app = window.jupyterapp;
    await app.shell.currentWidget.sessionContext.ready;
    await app.commands.execute('notebook:run-all-cells');
}"""
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => ({
    source: cell.model.sharedModel.getSource(),
    count: cell.model.type === 'code' ? cell.model.executionCount : 0,
    failed: cell.model.type === 'code' && !(cell.model.getMetadata('tags') || []).includes('raises-exception')
        && cell.model.outputs.toJSON().some(output => output.output_type === 'error'),
}))"""
ASK_KERNEL = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code });
    let said = '';
    future.onIOPub = message => { said += message.content.text || (message.content.traceback || []).join(''); };
    await future.done;
    return said;
}"""


def leaves_the_machine(url):
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob", "file") and parts.hostname not in ("127.0.0.1", "localhost")


def picture_in(cell):
    """What the pictures of the cell's outputs are, as one string."""
    return "".join(image.get_attribute("src") for image in cell.locator(".jp-OutputArea-output img").all())


def changed(page, cell, before):
    for _ in range(200):
        if (now := picture_in(cell)) not in ("", before):
            return now
        page.wait_for_timeout(50)
    raise AssertionError("the picture stayed as it was for ten seconds")


def test_a_learner_runs_the_lesson_and_inspects_a_sentence_by_keyboard(lab, page):
    folder, address = lab
    shutil.copy(ROOT / "notebooks" / "01_attention.ipynb", folder)
    page.goto(address.format(path="lab/tree/01_attention.ipynb"))
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', state="attached")
    page.evaluate(RUN_ALL)
    cells = page.evaluate(CELLS)
    assert [cell["source"] for cell in cells if cell["failed"]] == []
    assert [cell["source"] for cell in cells if cell["source"] and cell["count"] is None] == []

    [index] = [i for i, cell in enumerate(cells) if "= show.inspector(" in cell["source"]]
    name = re.search(r"(\w+) = show\.inspector\(", cells[index]["source"])[1]
    page.evaluate("i => window.jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", index)
    cell = page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')
    sentence = cell.get_by_label("sentence")
    sentence.wait_for()
    state = f"[{name}.sentence.value, {name}.layer.value, {name}.head.value, ''.join({name}.tokens)]"
    ask = f"import json; print(json.dumps({state}))"
    _, layer, head, _ = json.loads(page.evaluate(ASK_KERNEL, ask))
    before = picture_in(cell)
    sentence.fill(SENTENCE)
    sentence.press("Enter")
    typed = changed(page, cell, before)
    page.keyboard.press("Tab")  # to the layer's slider
    page.keyboard.press("ArrowRight")
    one_layer_on = changed(page, cell, typed)
    page.keyboard.press("Tab")  # to the number beside it
    page.keyboard.press("Tab")  # to the head's slider
    page.keyboard.press("ArrowRight")
    changed(page, cell, one_layer_on)
    page.screenshot(path=folder / "lesson_01.png")

    assert json.loads(page.evaluate(ASK_KERNEL, ask)) == [SENTENCE, layer + 1, head + 1, SENTENCE]
    assert [url for url in page.requests if leaves_the_machine(url)] == []


def test_the_page_opens_from_a_file_and_obeys_the_arrow_keys(page, tmp_path):
    path = tmp_path / "attention.html"
    model, tokenizer = Qwen.from_pretrained(TINY_QWEN), Tokenizer.from_pretrained(TINY_QWEN)
    show.attention_page(model, tokenizer, ["To be, or not to be", "床前明月光。</script>"], path)
    page.context.set_offline(True)
    page.goto(path.as_uri())
    page.get_by_label("Sentence").select_option(index=1)
    page.locator("#grid button[aria-pressed=true]").focus()
    page.keyboard.press("Home")
    assert page.inner_text("#map-title") == "Layer 0, head 0"
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.inner_text("#map-title") == "Layer 1, head 2"
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Layer 1, head 2: previous token 0.")

    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    tokens = page.locator("#rows button").all_inner_texts()
    assert page.inner_text("#bars-title") == f"Token 1, “{tokens[1]}”, takes from"
    shown = [item.inner_text().split() for item in page.locator("#bars li:visible").all()]
    assert [token for token, _ in shown] == tokens[:2]
    assert abs(sum(float(weight) for _, weight in shown) - 1) < 0.02
    page.screenshot(path=tmp_path / "page.png")
    assert page.requests == [path.as_uri()] and page.problems == []
