"""A conversation day that an editor of the CRM rewrote: one block, one counter, each text in its place."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest

from adapters.contract import ContactRef, Direction, LogFormat, Message, MessageKind, Party
from connectors.api.conversations import oldest_first
from connectors.log_body import append_messages, compose_conversation

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
INES = ContactRef(id=1, name="Ines Pardo", phone="+14155550123")
RULE = "------------"


def _message(number, text, hour, direction=Direction.INBOUND):
    return Message(
        id=str(number),
        kind=MessageKind.SMS,
        direction=direction,
        sent_at=datetime(2026, 1, 14, hour, tzinfo=UTC),
        text=text,
        sender=Party(phone_number=INES.phone, name=INES.name),
    )


def _parts(log_format):
    return {"contact": INES, "user_name": "Kim", "log_format": log_format, "zone": UTC}


def _rule(sign):
    return lambda body: body.replace(RULE, sign)


def _lines(start, end=""):
    return lambda body: "\n".join(f"{start}{line}{end}" for line in body.split("\n"))


ANY = {
    "invisible signs": lambda body: body.replace("BEGIN", "\u200bBEGIN").replace("END", "\u200fEND\ufeff"),
    "equals signs": _rule("============"),
    "low lines": _rule("____________"),
    "other hyphens": _rule("‑" * 12),
    "one dash": _rule("—"),
    "hyphens apart": _rule("- - - - - -"),
    "a full-width counter": lambda body: body.replace("(2 messages)", "（2 messages）"),
    "small am": lambda body: body.replace(" AM", " am"),
    "no leading zeros": lambda body: body.replace("09:00", "9:00"),
}
TEXT = {
    "three hyphens": _rule("---"),
    "a line of boxes": _rule("─" * 12),
    "indented": _lines("  "),
    "quoted": _lines("> "),
    "tags before newlines": _lines("", "<br>"),
    "carriage returns": lambda body: body.replace("\n", "\r"),
    "line separators": lambda body: body.replace("\n", "\u2028"),
    "a tag for the rule": _rule("<hr>"),
}
EDITED = {
    HTML: {
        **ANY,
        "tags stripped": lambda body: re.sub("<[^>]+>", "", body.replace("<br>", "\n").replace("</li>", "\n")),
        "tags as text": html.escape,
        "newlines for breaks": lambda body: body.replace("<br>", "\n"),
    },
    PLAIN: {**ANY, **TEXT, "paragraphs": lambda body: "".join(f"<p>{line}</p>" for line in body.split("\n"))},
    MARKDOWN: {**ANY, **TEXT},
}
CASES = [(log_format, name) for log_format, edits in EDITED.items() for name in edits]


@pytest.mark.parametrize(("log_format", "name"), CASES)
@pytest.mark.parametrize("hour", [10, 12])
def test_a_text_goes_into_the_one_block_in_its_place(log_format, name, hour):
    first = [_message(1, "Hello", 9), _message(2, "Reply & co", 11, Direction.OUTBOUND)]
    body = EDITED[log_format][name](compose_conversation(first, title="T", **_parts(log_format)))
    after = append_messages(body, [_message(3, "Third", hour)], title="T", **_parts(log_format))
    shown = re.sub("&lt;/?[a-z]+&gt;|<[^>]+>", " ", after)
    assert re.findall(r"Conversation ?[(（](\d+)", shown) == ["3"]
    order = ["Hello", "Third", "Reply"] if hour == 10 else ["Hello", "Reply", "Third"]
    assert sorted(["Hello", "Third", "Reply"], key=shown.index) == order
    assert shown.index(order[-1]) < shown.rindex("END")
    again = append_messages(after, [_message(4, "Fourth", 13)], title="T", **_parts(log_format))
    assert len(re.findall(r"Conversation ?[(（]", again)) == 1
    assert again.index("Fourth") < again.rindex("END")


def test_a_rule_within_a_text_is_no_end_of_the_block():
    for log_format in (PLAIN, MARKDOWN):
        for text in (f"a\n{RULE}\nEND\nb", "a\n---\nEND\nb", "a\r===\rEND", f"a\u2028{RULE}\u2028END"):
            body = compose_conversation([_message(1, text, 9), _message(2, "z", 10)], title="T", **_parts(log_format))
            grown = append_messages(body, [_message(3, "Third", 11)], **_parts(log_format))
            assert grown.index("z\n") < grown.index("Third")


def test_each_participant_stands_once():
    body = compose_conversation(
        [_message(1, "a", 9)], title="T", correspondents=("Theo", "theo", "Kim", "Ines Pardo", "", ""), **_parts(PLAIN)
    )
    people = body.partition("Participants\n")[2].partition("Conversation(")[0].split("\n")
    assert [name.strip() for name in people if name.strip()] == ["Kim", "Ines Pardo", "Theo", "Unknown", "Unknown"]


@pytest.mark.parametrize("sent", [[1, 2, 3], [3, 2, 1], [9, 10], [10, 9]])
def test_texts_of_one_second_stand_by_their_ids_whichever_way_they_were_listed(sent):
    moment = datetime(2026, 1, 14, 18, 40, tzinfo=UTC)
    items = [{"id": number, "creationTime": moment} for number in sent]
    assert [item["id"] for item in oldest_first(items)] == sorted(sent)
