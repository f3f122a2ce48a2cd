"""The page of ``manage.py``'s commands, out of their own help."""

from __future__ import annotations

import os
from argparse import Action
from collections.abc import Iterator

import django
from django.core.management import get_commands, load_command_class

from docs.site.source_code import as_markdown

_INTRODUCTION = """\
# Every command

What `manage.py <command> --help` says, without Django's own commands and options. This page is made from the commands
whenever the site is built.
"""
#: Options that Django gives to every command.
_OF_DJANGO = {
    *("help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks")
}


def commands_page() -> str:
    """The page as Markdown."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    return "\n".join(_page()) + "\n"


def own_commands() -> list[tuple[str, str]]:
    """Command and the app it belongs to, of this project's apps, by name."""
    ours = ("adapters", "audit", "connectors", "config")
    return sorted((name, app) for name, app in get_commands().items() if app.split(".")[0] in ours)


def _page() -> Iterator[str]:
    yield _INTRODUCTION
    for name, app in own_commands():
        command = load_command_class(app, name)
        yield f"## {name}\n\n{as_markdown(' '.join(command.help.split()))}\n"
        given = [
            action for action in command.create_parser("manage.py", name)._actions if action.dest not in _OF_DJANGO
        ]
        if given:
            yield "| Given | Is |\n|---|---|"
        for action in given:
            yield f"| `{_shown(action)}` | {_meaning(action)} |"
        yield ""


def _shown(action: Action) -> str:
    """``--since DATE``, or the name of what is given without an option."""
    if not action.option_strings:
        return action.dest
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"{', '.join(action.option_strings)}{value}"


def _meaning(action: Action) -> str:
    texts = [as_markdown(" ".join(((action.help or "") % vars(action)).split()))]
    texts += [f"one of {', '.join(map(str, action.choices))}"] if action.choices else []
    return "; ".join(text for text in texts if text)
