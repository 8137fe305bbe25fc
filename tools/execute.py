"""Run a lecture and keep of its outputs what reads well without a kernel and names no machine."""

import math
import re
import sys
import time
from pathlib import Path, PurePath

from nbclient import NotebookClient
from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"


def run(notebook: NotebookNode, folder: Path) -> list[float]:
    """Execute in place, in a fresh kernel started in `folder`; the seconds of each cell, 0 for prose."""
    seconds = [0.0] * len(notebook.cells)

    def start(cell: NotebookNode, cell_index: int) -> None:
        seconds[cell_index] = -time.perf_counter()

    def stop(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        seconds[cell_index] += time.perf_counter()

    client = NotebookClient(
        notebook,
        timeout=180,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_execute=start,
        on_cell_executed=stop,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := clean(output, folder.parent))]
    # Rounded up to fives, so that a second run says the same on the card. Cells that need the real model stay out.
    usual = sum(s for s, cell in zip(seconds, notebook.cells) if "real" not in cell.metadata.get("tags", []))
    notebook.metadata["minqwen"] = {"seconds": 5 * math.ceil(usual / 5)}
    return seconds


def clean(output: NotebookNode, root: Path) -> NotebookNode | None:
    """The output without controls, progress bars, warnings and this machine's paths; None if that was all."""
    if output.output_type == "stream" and output.name == "stderr":
        return None
    data = output.get("data", {})
    if data.pop(WIDGET, None) and set(data) <= {"text/plain"}:
        return None
    if "text" in output:
        output.text = hide_paths(output.text, root)
    if "traceback" in output:
        output.traceback = [hide_paths(line, root) for line in output.traceback]
    for kind in data:
        if kind.startswith("text/"):
            data[kind] = hide_paths(data[kind], root)
    return output


def hide_paths(text: str, root: PurePath) -> str:
    """Text with the folders of the project, of Python and of the user cut off."""
    for folder in (root, sys.prefix, sys.base_prefix):
        text = re.sub(_spelled(folder) + r"[/\\]+", "", text)
    return re.sub(_spelled(Path.home()) + r"\b", "~", text)


def _spelled(folder: str | PurePath) -> str:
    """A pattern for a folder, be it written with slashes, with backslashes, or with a repr's doubled ones."""
    return r"[/\\]+".join(map(re.escape, re.split(r"[/\\]", str(folder))))
