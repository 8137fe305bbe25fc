"""The view of traces. Oracle: events whose text is known, and a display that remembers what it was shown."""

from minqwen import show
from minqwen.prompt.react import Event
from minqwen.show import trace_view


def test_every_event_is_a_row_that_says_who_wrote_it_and_text_stays_text():
    page = trace_view.trace_html([Event("model", "Action: <b>\n1"), Event("tool", "a & b"), Event("new", "x")])
    assert page.count("<tr>") == 3 and page.index(">model<") < page.index(">tool<") < page.index(">new<")
    assert "Action: &lt;b&gt;\n1" in page and "a &amp; b" in page and "<b>" not in page


def test_events_are_shown_as_they_come(monkeypatch):
    shown = []

    class Handle:
        def update(self, page):
            shown.append(page.data.count("<tr>"))

    monkeypatch.setattr(trace_view, "display", lambda page, display_id: Handle())

    def events():
        for n in range(3):
            assert len(shown) == n
            yield Event("model", str(n))

    assert [event.text for event in show.trace(events())] == ["0", "1", "2"]
    assert shown == [1, 2, 3]


def test_without_a_notebook_the_events_are_still_returned(monkeypatch):
    monkeypatch.setattr(trace_view, "display", lambda page, display_id: None)
    assert show.trace([Event("answer", "1")]) == [("answer", "1")]
