"""The chat cell. Oracle: an answerer whose answers are known."""

from minqwen import show


def test_what_was_said_is_kept_and_shown_as_text():
    box = show.chat_box(lambda question: question.upper() + "\n<b>")
    box.question.value = " go <i> "
    box.send.click()
    assert box.turns == [("go <i>", "GO <I>\n<b>")] and box.question.value == ""
    assert "GO &lt;I&gt;<br>&lt;b&gt;" in box.said.value


def test_nothing_and_too_much_are_not_sent():
    box = show.chat_box(lambda question: 1 / 0)
    box.send.click()
    box.question.value = "x" * 401
    box.send.click()
    assert box.turns == [] and "401 characters" in box.said.value


def test_a_question_that_the_model_refuses_is_told():
    def refuse(question):
        raise ValueError("shorten <it>")

    box = show.chat_box(refuse)
    box.question.value = "go"
    box.send.click()
    assert "shorten &lt;it&gt;" in box.said.value and box.turns == []


def test_a_transcript_reads_without_a_kernel_and_holds_no_markup():
    told = show.transcript([("a*b", "<im> x\ny")]).data
    assert told == r"**You**: a\*b" + "\n\n" + "**Model**: &lt;im&gt; x<br>y"
