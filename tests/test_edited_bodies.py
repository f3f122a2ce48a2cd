"""Bodies that people corrected in a CRM's editor: each section stands once, and nothing of a person's is lost."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.contract import LogFormat, Options, Party
from connectors.log_body import CallDetails, Leg, read_note, read_subject, update_call
from tests.editors import EDITORS

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])
ON = {"addCallSessionId": True, "addCallLogContactNumber": True}
MOMENT = datetime(2026, 1, 14, 17, 31, 7, tzinfo=UTC)
REC = "https://media.ringcentral.com/rec/9"


def update(body, log_format, **members):
    options = Options(values=ON)
    return update_call(body, CallDetails(**members), log_format=log_format, options=options, zone=UTC)


def compose(log_format, **members):
    return update("", log_format, **members)


def read(body, log_format):
    """What a person sees, roughly."""
    if log_format is HTML and not re.search("</?[A-Za-z]", body):
        body = html.unescape(body)
    if log_format is not HTML:  # the tags that a CRM or an editor puts there, and no others of people's
        body = re.sub(r"</?(?:br(?: /)?|p|div|h2)>", "\n", body)
        body = re.sub("</?b>", "", body)
    else:
        body = re.sub(r"</?(?:br|p|li|div|ul|t[drh]|d[tdl]|h\d)\b[^>]*>", "\n", body, flags=re.IGNORECASE)
        body = html.unescape(re.sub(r"<[^>]*>", "", body)).replace("\xa0", " ")
    return re.sub("[\u200b\ufeff\u200f]", "", body.replace("\\", "")).replace("：", ":")


def count(body, log_format, label):
    """How often a label stands in a body, in whatever dress."""
    lines = re.split("\r\n|[\n\r\u2028\u2029\x85]", read(body, log_format))
    bare = [re.sub(r"^[\s\-•·–—−○>*_#]*(?:1\. )?[\s*_]*|[\s*_#:]+$", "", re.split(":| – ", line)[0]) for line in lines]
    return sum(" ".join(text.split()).casefold() == label.casefold() for text in bare)


EDITED = {
    "a common editor": (
        "<strong>Agent notes</strong><br />Wants a BIG quote<br /><br /><strong>Call details</strong><br />"
        "<ul><li><strong>Duration</strong>: 1 second</li><li><strong>Result</strong>: Accepted</li></ul>"
    ),
    "capitals and paragraphs": (
        "<P><B>Agent notes</B></P>\n<P>Wants a BIG quote</P>\n<P><B>Call details</B></P>\n<UL>\n  <LI><B>Duration</B>: "
        "1 second</LI>\n  <LI><B>Result</B>: Accepted</LI></UL>"
    ),
    "paragraphs in items": (
        "<p><strong>Agent notes</strong><br>Wants a BIG quote</p><p><strong>Call details</strong></p><ul><li><p>"
        "<strong>Duration</strong>:&nbsp;1 second</p></li><li><p><strong>Result:</strong> Accepted</p></li></ul>"
    ),
    "bold spans in blocks": (
        '<div dir="ltr"><div><span style="font-weight: 700">Agent notes</span></div><div>Wants a BIG quote</div><div>'
        '<b>Call details</b></div><ol><li data-list="bullet"><b>Duration</b><span>: 1 second</span></li><li>'
        "<b>Result: Accepted</b></li></ol></div>"
    ),
    "one paragraph": (
        "<p><b>Agent notes</b><br>Wants a BIG quote<br><br><b>Call details</b><br><b>Duration</b>: 1 second<br>"
        "<b>Result</b>: Accepted</p>"
    ),
    "a table": (
        "<table><tr><td><b>Agent notes</b><br>Wants a BIG quote<br><br><b>Call details</b></td></tr>"
        "<tr><td><b>Duration</b>: 1 second</td></tr><tr><td><b>Result</b>: Accepted</td></tr></table>"
    ),
    "headings": (
        "<h3>Agent notes</h3><p>Wants a BIG quote</p><h3>Call details</h3><p><b>Duration</b>: 1 second</p>"
        "<p><b>Result</b>: Accepted</p>"
    ),
    "Outlook": (
        "<p class=MsoNormal><b>Agent notes</b><o:p></o:p></p><p class=MsoNormal>Wants a BIG quote<o:p></o:p></p>"
        "<p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal><b>Call details</b><o:p></o:p></p>"
        "<p class=MsoListParagraph><![if !supportLists]><span style='font-family:Symbol'>·<span>&nbsp;&nbsp; </span>"
        "</span><![endif]><b>Duration</b>: 1 second<o:p></o:p></p><p class=MsoListParagraph>·<b>Result</b>: Accepted"
        "<o:p></o:p></p>"
    ),
    "Google Docs": (
        '<b style="font-weight:normal;" id="docs-internal-guid-1"><p dir="ltr"><span style="font-weight:700;">'
        'Agent notes</span></p><p dir="ltr"><span style="font-weight:400;">Wants a BIG quote</span></p><br />'
        '<p><span style="font-weight:700;">Call details</span></p><ul><li><p><span style="font-weight:700;">Duration'
        '</span><span style="font-weight:400;">: 1 second</span></p></li><li><p><span style="font-weight:700;">Result'
        "</span><span>: Accepted</span></p></li></ul></b>"
    ),
    "bold in pieces": (
        "<p><strong>Agent</strong> <strong>notes</strong><br>Wants a BIG quote</p><p><b>Call</b><b> details</b></p><ul>"
        "<li><b>Dura</b><b>tion</b>: 1 second</li><li><b>Res</b><b><i>ult</i></b>: Accepted</li></ul>"
    ),
    "nothing bold any more": (
        "<p>Agent notes</p><p>Wants a BIG quote</p><p>Call details</p><ul><li>Duration: 1 second</li>"
        "<li>Result: Accepted</li></ul>"
    ),
    "blank paragraphs": (
        "<div><strong>Agent notes</strong></div>\n<div>Wants a BIG quote</div>\n<div>&nbsp;</div>\n<div><strong>"
        "Call details</strong></div>\n<ul>\n<li><strong>Duration</strong>: 1 second</li>\n<li><strong>Result</strong>: "
        "Accepted</li>\n</ul>"
    ),
}


@pytest.mark.parametrize("body", EDITED.values(), ids=EDITED)
def test_a_body_of_any_editor_is_read_and_each_label_stands_once_with_its_new_value(body):
    assert read_note(body, HTML) == "Wants a BIG quote"
    after = update(
        body, HTML, note="", duration=187, has_duration=True, result="Call connected", started_at=MOMENT,
        recording_link=REC,
    )  # fmt: skip
    assert read_note(after, HTML) == "Wants a BIG quote"
    after = update(after, HTML, note="Wants a quote by Friday", subject="Inbound Call from Ines Pardo")
    for label in ("Agent notes", "Call details", "Duration", "Result", "Date/time", "Call recording link", "Summary"):
        assert count(after, HTML, label) == 1, label
    assert "3 minutes, 7 seconds" in after
    assert "Call connected" in after
    assert "1 second<" not in after
    assert "Accepted" not in after
    assert read_note(after, HTML) == "Wants a quote by Friday"
    assert read_subject(after, HTML) == "Inbound Call from Ines Pardo"
    assert after.count("<") == after.count(">")
    kept = [tag for tag in re.findall(r"<[A-Za-z0-9]+", body) if tag.lower() not in ("<br", "<p", "<div")]
    assert [tag for tag in kept if tag not in after] == []  # the way the editor wrote the rest


def test_what_is_sent_again_leaves_the_persons_formatting():
    body = (
        "<p><strong>Agent notes</strong></p><p>Wants a <em>BIG</em> quote</p><p><strong>Call details</strong></p>"
        "<ul><li><strong>Result</strong>: <u>Accepted</u></li></ul><p><strong>AI Note</strong></p><p>one <i>two</i></p>"
    )
    assert update(body, HTML, note="Wants a BIG quote", result="Accepted", ai_note="one two") == body


def test_bold_words_of_a_person_are_no_sections_of_ours():
    body = (
        "<b>Agent notes</b><br>The <b>Result</b>: fine. See <b>transcript</b><br><b>Duration</b>: ask<br><br>"
        "<b>Call details</b><br><li><b>Result</b>: x</li><p>See the <b>Transcript</b> below</p>"
        "<p><b>AI Note</b> was good</p>"
    )
    after = update(body, HTML, result="y", transcript="t", ai_note="a", has_duration=True, duration=1)
    assert after == body.replace(": x<", ": y<") + (
        "<li><b>Duration</b>: 1 second</li><div><b>AI Note</b><br>a</div><br><div><b>Transcript</b><br>t</div><br>"
    )


@pytest.mark.parametrize("newline", ["\r", "\r\n", "\u2028", "\u2029", "\x85"])
@pytest.mark.parametrize("log_format", [PLAIN, MARKDOWN])
def test_a_text_comes_back_with_the_newlines_that_its_crm_gave_it(log_format, newline):
    members = {"note": "Wants a quote\nsoon", "subject": "Call", "result": "Accepted", "ai_note": "one\ntwo"}
    body = f"{compose(log_format, **members)}\nOwn paragraph.\n"
    stored = body.replace("\n", newline)
    assert read_note(stored, log_format) == "Wants a quote\nsoon"
    changes = {"note": "New\nnote", "result": "Missed", "ai_note": "three", "recording_link": REC}
    assert update(stored, log_format, **changes) == update(body, log_format, **changes).replace("\n", newline)


def test_a_sign_that_ends_lines_elsewhere_hides_no_label_of_ours_in_peoples_text():
    for log_format in (PLAIN, MARKDOWN):
        text = {PLAIN: "a\u2028- Summary: x\r- Note: y", MARKDOWN: "a\u2028## Call details\r**Summary**: x"}[log_format]
        body = compose(log_format, note=text, subject="s", transcript=f"{text}\u2028\u2028z")
        assert read_note(body, log_format) == text
        assert read_subject(body, log_format) == "s"
        assert update(body, log_format, note=text, transcript="t").count("z") == 0


def test_a_note_in_a_body_of_one_line_ends_where_the_next_label_of_ours_begins():
    rest = " - Summary: Call - Duration: 1 second - AI Note: one two --- END  Own paragraph."
    body = f"- Note: Wants a quote{rest}"
    assert read_note(body, PLAIN) == "Wants a quote"
    after = update(body, PLAIN, note="New", has_duration=True, duration=5)
    assert after == f"- Note: New{rest}\n- Duration: 5 seconds\n"
    assert update(after, PLAIN, note="Newer", has_duration=True, duration=5) == after.replace("New", "Newer")


@pytest.mark.parametrize("note", ["see - Result: fine", "twice - Result: a - Result: b", "a -Result: x, - Date: y"])
def test_a_label_of_ours_within_a_line_of_a_note_is_part_of_it(note):
    body = compose(PLAIN, note=note, subject="s")
    assert read_note(body, PLAIN) == note
    assert read_note(update(body, PLAIN, note="New"), PLAIN) == "New"


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (
            "<b>Agent notes</b><br>Line 1<br />Q &amp; A<br><br>other text",
            "<b>Agent notes</b><br>new<br><br><b>Call details</b><br><br><br>other text",
        ),
        (
            "<p><b>Agent notes</b><br>Line 1<br>Q &amp; A</p><p>other text</p><p><b>Result</b>: x</p>",
            "<p><b>Agent notes</b><br>new<br><br><b>Call details</b><br></p><p>other text</p><p><b>Result</b>: x</p>",
        ),
        (
            "<p><b>Agent notes</b></p><p>Line 1</p><p>Q &amp; A</p><p>&nbsp;</p><p>other text</p>",
            "<p><b>Agent notes</b></p><p>new</p><b>Call details</b><br><p>&nbsp;</p><p>other text</p>",
        ),
    ],
)
def test_a_note_whose_end_was_removed_takes_nothing_of_a_persons(body, after):
    assert read_note(body, HTML) == "Line 1\nQ & A"
    assert update(body, HTML, note="new") == after
    assert read_note(after, HTML) == "new"


def test_a_list_in_the_note_is_not_the_list_of_our_items():
    body = "<b>Agent notes</b><br><ul><li>one</li></ul><br><b>Call details</b><br><ul><li><b>Result</b>: x</li></ul>"
    after = update(body, HTML, recording_link=REC)
    assert after.index("one</li></ul>") < after.index("Call recording link") < after.rindex("</ul>")


@pytest.mark.parametrize(
    "body",
    [
        "- Note: old\n• Duration: 1 second\n*  Result : Accepted\n–\xa0AI\xa0Note:\nold\n— END\nmine",
        "-\tNote: old\n- Duration: 1 second   \n\n\n- Result:\n- AI Note:\nold\n-- END\nmine",
        "- Note: old\r\n- Duration: 1 second\r\n- Result: Accepted\n- AI Note:\r\nold\r\n--- END\nmine",
    ],
)
def test_plain_text_of_any_editor_is_found(body):
    after = update(body, PLAIN, note="new", has_duration=True, duration=5, result="Good", ai_note="fresh")
    assert "old" not in after
    assert after.endswith("mine")
    assert [count(after, PLAIN, label) for label in ("Note", "Duration", "Result", "AI Note")] == [1, 1, 1, 1]
    assert read_note(after, PLAIN) == "new"


@pytest.mark.parametrize(
    "body",
    [
        "Agent notes\n-----------\n\nold\n\nCall details\n---\n\n* **Duration**: 1 second\n* **Result:** Accepted\n\n"
        "### AI Note\n\nold\n\nmine",
        "## **Agent notes** ##\nold\n## Call details\n__Duration__: 1 second\\\n__Result:__ Accepted  \n"
        "#### AI Note\nold\n\nmine",
        "\\## Agent notes\nold\n\\## Call details\n\\*\\*Duration\\*\\*: 1 second\n**Result** : Accepted\n"
        "**AI Note**\nold\n\nmine",
    ],
)
def test_markdown_of_any_editor_is_found(body):
    after = update(body, MARKDOWN, note="new", has_duration=True, duration=5, result="Good", ai_note="fresh")
    assert "old" not in after
    assert after.endswith("\n\nmine")
    for label in ("Agent notes", "Call details", "Duration", "Result", "AI Note"):
        assert count(after, MARKDOWN, label) == 1, label
    assert read_note(after, MARKDOWN) == "new"


# --- any text, any editor ------------------------------------------------------------------------

words = st.from_regex(r"\A[A-Za-zé][A-Za-zé0-9 ,.$&<>\"'-]{0,25}[a-z]\Z").filter(lambda text: "  " not in text)
lines = st.lists(words, min_size=1, max_size=3).map("\n".join)
calls = st.fixed_dictionaries(
    {
        "note": words,
        "subject": words,
        "has_duration": st.just(True),
        "duration": st.integers(0, 9999),
        "result": words,
        "started_at": st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
        "recording_link": st.sampled_from(["(pending...)", "https://m.example.com/1", "https://m.example.com/2"]),
        "ai_note": lines,
        "transcript": lines,
        "ring_sense_score": st.sampled_from(["7", "8"]),
        "legs": st.just((Leg(callee=Party(name="Main IVR")), Leg(callee=Party(name="Sales"), duration=3))),
    }
)
LABELS = {
    HTML: ("Agent notes", "Call details", "Date/time"),
    PLAIN: ("Note", "Date/Time"),
    MARKDOWN: ("Agent notes", "Call details", "Date/Time"),
}
COMMON = ("Summary", "Duration", "Result", "Call recording link", "AI Note", "Transcript", "Call score", "Call journey")


def rewritings(log_format):
    groups = [st.sampled_from([None, *group]) for group in EDITORS[log_format]]
    return st.tuples(*groups).map(lambda chosen: [function for function in chosen if function])


@ALL
@settings(max_examples=25, deadline=None)
@given(first=calls, second=calls, remark=words, data=st.data())
def test_whatever_an_editor_does_nothing_is_doubled_and_nothing_lost(log_format, first, second, remark, data):
    note = first["note"]
    remark = f"Remark {remark}"
    body = compose(log_format, **first)
    edited = body + {HTML: f"<p>{html.escape(remark)}</p>", PLAIN: f"{remark}\n", MARKDOWN: f"\n{remark}\n"}[log_format]
    for rewrite in data.draw(rewritings(log_format)):
        edited = rewrite(edited)
    assert read_note(edited, log_format).split() == note.split()

    after = update(edited, log_format, **second)
    for label in (*LABELS[log_format], *COMMON):
        assert count(after, log_format, label) == 1, (label, edited, after)
    shown = " ".join(read(after, log_format).split())
    assert read_note(after, log_format) == second["note"]
    for member in ("subject", "result", "ai_note", "transcript"):
        assert " ".join(second[member].split()) in shown, (member, after)
    assert remark in shown
    assert update(after, log_format, **second) == after
    for member in ("subject", "result", "ai_note", "transcript"):  # nothing of the old value is left behind
        old = [line for line in first[member].split("\n") if len(line) > 8]
        known = "\n".join([remark, *(str(value) for value in second.values())])
        assume(not any(line in known for line in old))
        assert not [line for line in old if f"\n{line}\n" in f"\n{read(after, log_format)}\n"], (member, edited, after)


# --- work ----------------------------------------------------------------------------------------

UNITS = {
    HTML: (
        "<div><b>AI Note</b><br>", "<b>Agent notes</b>", "<li><b>Duration</b>:", "<b>Call details</b><p>", "<p>", "<",
        "<a", "<!--", "</b></div>", " ", "\n", "&", "<ul><li>", "</ul></li>", "<b>x", "<br>", "<b>Result</b>",
        '<span style="font-weight:bold">', "<div><p><b>Transcript</b></p>",
    ),
    PLAIN: (
        "- AI Note:\n", "- Note: ", "- Note:\n", "- Result: x\n", "--- END\n", "-", " ", "\n", "- Call journey:\n\n",
        "-  ", "\r\n", "— END ",
    ),
    MARKDOWN: (
        "### AI Note\n", "## Agent notes\n", "## Call details\n", "**Result**: x\n", "*", "**", " ", "\n", "\\", "#",
        "### ", "AI Note\n--\n", "**Call", "__ ", "- ** ",
    ),
}  # fmt: skip


def _seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def _assert_grows_with_the_length(work):
    """Eight times the length, up to twenty-four times the work; the square would be sixty-four times.

    Both are measured on this machine; a measurement that something disturbed is taken again.
    """
    few = max(0.002, min(_seconds(work(4_000)) for _ in range(3)))
    tries = (_seconds(work(32_000)) / few for _ in range(3))
    assert any(times < 24 for times in tries)


@pytest.mark.parametrize(("log_format", "unit"), [(key, unit) for key, units in UNITS.items() for unit in units])
def test_the_work_grows_with_the_length_of_a_body_and_not_with_its_square(log_format, unit):
    """Anybody who is connected may have such a body; one of 200,000 characters must not keep a process busy."""
    members = {"note": "n", "subject": "s", "has_duration": True, "duration": 1, "ai_note": "a", "transcript": "t"}

    def work(length):
        body = (unit * (length // len(unit) + 1))[:length]
        return lambda: (update(body, log_format, **members), read_note(body, log_format))

    _assert_grows_with_the_length(work)


@pytest.mark.parametrize(("log_format", "unit"), [(key, unit) for key, units in UNITS.items() for unit in units])
def test_the_work_grows_with_the_length_of_a_note_too(log_format, unit):
    def work(length):
        note = (unit * (length // len(unit) + 1))[:length]
        return lambda: compose(log_format, note=f"a{note}", transcript=f"b{note}", subject=f"c{note}")

    _assert_grows_with_the_length(work)
