"""How each format writes a section, and a value within one."""

from __future__ import annotations

from adapters.contract import LogFormat
from connectors.log_body.markup import anchor, escape
from connectors.log_body.sections import Kind, Section
from connectors.log_body.text_labels import END, JOURNEY_END, shielded


def render(section: Section, value: str, log_format: LogFormat, *, label: str = "") -> str:
    """The section as it stands in a body, without the newlines around it."""
    label = label or section.label(log_format)
    shown = render_value(section, value, log_format)
    if section.kind in (Kind.LINE, Kind.LINK):
        if log_format is LogFormat.HTML:
            return f"<li><b>{label}</b>: {shown}</li>"
        return f"**{label}**: {shown}" if log_format is LogFormat.MARKDOWN else f"- {label}: {shown}"
    if log_format is LogFormat.HTML:
        return f"<div><b>{label}</b><br>{shown}</div>"
    if log_format is LogFormat.MARKDOWN:
        return f"### {label}\n{shown}"
    return f"- {label}:\n{shown}\n--- {JOURNEY_END if section.kind is Kind.LEGS else END}"


def render_value(section: Section, value: str, log_format: LogFormat) -> str:
    """What stands behind the label."""
    if section.kind in (Kind.LINE, Kind.LINK):
        line = " ".join(value.splitlines()).strip()
        if log_format is LogFormat.MARKDOWN:
            return line.rstrip(" \\")  # a backslash there breaks the line
        if log_format is LogFormat.PLAIN:
            return line
        return anchor(value) if section.kind is Kind.LINK else escape(line)
    if log_format is LogFormat.HTML:
        return escape(value)
    value = shielded(value, log_format)
    if log_format is LogFormat.PLAIN:
        return value
    # An empty line ends a block, so that what a person writes below it is theirs: ours hold a blank.
    text = value.rstrip("\n")
    return "\n".join(line or " " for line in text.split("\n")) + value[len(text) :]
