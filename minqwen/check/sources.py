"""Functions as text: the stub a learner starts from, the solution, and wrong answers as edits of it.

A wrong answer is kept as the edit that makes it, so the mistake is all that one reads, and no copy can go stale.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def text(function: Callable[..., Any]) -> str:
    """The source of a function, without the wrappers that a test run puts around it."""
    return textwrap.dedent(inspect.getsource(inspect.unwrap(function))).rstrip()


def head(function: Callable[..., Any]) -> str:
    """Its def line and docstring."""
    return "\n".join(text(function).splitlines()[: _first_line_of_body(function)])


def body(function: Callable[..., Any]) -> str:
    """What stands below them."""
    return "\n".join(text(function).splitlines()[_first_line_of_body(function) :])


def _first_line_of_body(function: Callable[..., Any]) -> int:
    node = ast.parse(text(function)).body[0]
    assert isinstance(node, ast.FunctionDef) and ast.get_docstring(node), f"{function} has no docstring"
    return node.body[0].end_lineno


def edited(source: str, *edits: tuple[str, str]) -> str:
    """The source with each old text, which must stand in it exactly once, replaced by the new."""
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(
                f"an edit needs its old text exactly once, but {old!r} stands {source.count(old)} times in:\n"
                f"{source}\nthe function has changed: change the edit with it"
            )
        source = source.replace(old, new)
    return source


def compiled(source: str, neighbour: Callable[..., Any]) -> Callable[..., Any]:
    """The function that the source defines, with the names that `neighbour` can see."""
    namespace = dict(inspect.unwrap(neighbour).__globals__)
    exec(compile(source, "<edited>", "exec"), namespace)
    return namespace[ast.parse(source).body[0].name]
