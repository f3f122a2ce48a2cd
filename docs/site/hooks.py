"""What MkDocs calls while it builds the site: pages that stand elsewhere or are made are added, faults refused."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.commands_page import commands_page
from docs.site.contract_page import contract_page
from docs.site.faults import faults_of
from docs.site.figures import MARK, figures_table
from docs.site.manifest_page import manifest_page
from docs.site.settings_page import settings_page
from docs.site.sources import PAGES_ELSEWHERE, ROOT, with_links

_MADE = {
    "reference/commands.md": commands_page,
    "reference/contract.md": contract_page,
    "reference/manifest.md": manifest_page,
    "reference/variables.md": settings_page,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of other folders, and those that are made from the code."""
    for source, page in PAGES_ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for page, make in _MADE.items():
        files.append(File.generated(config, page, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads to other pages under their titles, and puts measured figures in."""
    if MARK in markdown:
        markdown = markdown.replace(MARK, figures_table())
    return with_links(markdown, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Raises ``PluginError`` with every fault of the site."""
    if faults := list(faults_of(Path(config.site_dir))):
        raise PluginError("The site is not whole:\n" + "\n".join(faults))
