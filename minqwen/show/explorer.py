"""Controls around a picture: the reader moves them, a tested plot function draws anew.

The picture is an ordinary output of the cell, updated in place, so a stored notebook shows it without a kernel; the
controls are ipywidgets, named and reachable by keyboard.
"""

import html
import inspect
import threading
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import DisplayHandle, display
from ipywidgets import HTML, HBox, Layout, ValueWidget, VBox, Widget, interactive

from minqwen.show import figure

# JupyterLab handles controls in threads beside that of the cells, and pyplot knows one figure at a time.
_ONE_AT_A_TIME = threading.RLock()


class Explorer:
    """A plot function and its controls: set `w.head.value = 3`, read `w.result`, what the function returned last."""

    def __init__(self, plot: Callable[..., Any], controls: dict[str, ValueWidget], beside: Widget | None = None):
        self.controls = controls
        self.result: Any = None
        self.message = HTML()
        self._plot, self._handle = plot, DisplayHandle()
        self._shown = self._drawing = False
        left = VBox([*controls.values(), self.message])
        self.box = HBox([left, beside], layout=Layout(flex_flow="row wrap")) if beside is not None else left
        self._draw()
        for control in controls.values():
            control.observe(self._on_change, names="value")

    def __getattr__(self, name: str) -> ValueWidget:
        if name != "controls" and name in self.controls:
            return self.controls[name]
        raise AttributeError(f"{name!r} is no control; there are {', '.join(self.__dict__.get('controls', ()))}")

    def _on_change(self, change: Any) -> None:
        """Draw anew; a mistake becomes a sentence under the controls, and the last good picture stays."""
        with _ONE_AT_A_TIME:
            if self._drawing:  # a control that was set while drawing, such as a token of a new sentence
                return
            self._drawing = True
            try:
                self._draw()
                self.message.value = ""
            except Exception as error:  # nobody would see a traceback: there is no cell that it belongs to
                name = "" if type(error) is ValueError else f"{type(error).__name__}: "
                self.message.value = f'<p role="alert" style="color:#b3261e">✗ {html.escape(name + str(error))}</p>'
            finally:
                self._drawing = False

    def _draw(self) -> None:
        with _ONE_AT_A_TIME:
            self._draw_alone()

    def _draw_alone(self) -> None:
        others = set(plt.get_fignums())
        try:
            self.result = self._plot(**{name: control.value for name, control in self.controls.items()})
        finally:
            drawn = [plt.figure(number) for number in plt.get_fignums() if number not in others]
            for each in drawn:
                plt.close(each)  # or the end of the cell would show it once more
        self.picture = figure.to_image(drawn[-1])
        if self._shown:
            self._handle.update(self.picture)

    def _ipython_display_(self) -> None:
        self._shown = True
        display(self.box)
        self._handle.display(self.picture)


def explore(plot: Callable[..., Any], **controls: Any) -> Explorer:
    """Controls for arguments of `plot`: a range (low, high) or (low, high, step), a list of choices, or a widget.

    They start at the defaults of `plot`, which draws one figure and returns its numbers.
    """
    arguments = inspect.signature(plot).parameters
    unknown = [name for name in controls if name not in arguments]
    if unknown:
        raise ValueError(f"the plot takes no {', '.join(unknown)}; its arguments are {', '.join(arguments)}")
    widgets = {
        name: interactive.widget_from_abbrev(control, arguments[name].default) for name, control in controls.items()
    }
    for name, widget in widgets.items():
        widget.description = widget.description or name.replace("_", " ")
        widget.style.description_width = "initial"  # else long names are cut off
        widget.continuous_update = False  # a drag would queue up pictures
    return Explorer(plot, widgets)
