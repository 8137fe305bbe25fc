"""Controls that read well without a kernel: beside the widget, the stored notebook keeps what they show as text.

The bundle of types of one output, of which a front end takes the richest: Jupyter's messaging specification, section
"display_data" (https://jupyter-client.readthedocs.io/en/stable/messaging.html).
"""

from typing import Any

from ipywidgets import VBox


class ReadableBox(VBox):
    """A column of controls; `as_html` is what a reader without a kernel sees in their place."""

    def as_html(self) -> str:
        """The text of the controls."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        return bundle and {**bundle, "text/html": self.as_html()}
