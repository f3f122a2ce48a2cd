"""What MkDocs calls while it builds the site: adds the pages that stand elsewhere, refuses a site that is not whole."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.faults import faults_of
from docs.site.sources import PAGES_ELSEWHERE, ROOT, with_links


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of other folders."""
    for source, page in PAGES_ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads to other pages under their titles."""
    return with_links(markdown, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Raises ``PluginError`` with every fault of the site."""
    if faults := list(faults_of(Path(config.site_dir))):
        raise PluginError("The site is not whole:\n" + "\n".join(faults))
