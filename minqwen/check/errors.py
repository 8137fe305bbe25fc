"""Errors that a notebook shows in one line: a learner needs the sentence, not the way through our source."""


def short(error: Exception) -> Exception:
    """The same error; IPython asks it for its traceback (`_render_traceback_`) and gets its message alone."""
    kind, message = type(error).__name__, str(error)
    error._render_traceback_ = lambda: [f"{kind}: {message}"]
    return error
