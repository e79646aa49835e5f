"""Hook of the documentation site: carries the files that pages link to outside docs/, and their links.

Law: a link that is valid in the repository is valid on the site; one that leads nowhere is an error.
Cost: one reading of each page and of each file linked.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parents[2]
_FENCE: Final = re.compile(r"^(```.*?^```\s*$)", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]]|\[[^\[\]]*\])*\])\(([^()\s]+)\)")
_LANGUAGES: Final = {
    ".py": "python",
    ".sql": "sql",
    ".json": "json",
    ".toml": "toml",
    ".lark": "text",
    ".gbnf": "text",
    ".ebnf": "text",
}
_CARRIED: Final = "repository"


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every file outside docs/ that a page links to, and for those that these link to."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages() if file.generated_by is None]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        for _, target in _links(_text(source)):
            path = _repository_path(source, target)
            if path is None or path in seen or path.startswith("docs/"):
                continue
            seen.add(path)
            files.append(File.generated(config, _site_path(path), content=_page(path, source)))
            if path.endswith(".md"):
                waiting.append(path)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point the links of a page at the pages of the site."""
    source = _source_of(page.file.src_uri)

    def pointed(match: re.Match[str]) -> str:
        path = _repository_path(source, match[2])
        if path is None:
            return match[0]
        anchor = "#" + match[2].partition("#")[2] if "#" in match[2] else ""
        here = posixpath.dirname(page.file.src_uri) or "."
        return f"{match[1]}({posixpath.relpath(_site_path(path), here)}{anchor})"

    return "".join(
        part if part.startswith("```") else _LINK.sub(pointed, part) for part in _FENCE.split(markdown)
    )


def _links(text: str) -> list[tuple[str, str]]:
    return [
        (match[1], match[2])
        for part in _FENCE.split(text)
        if not part.startswith("```")
        for match in _LINK.finditer(part)
    ]


def _text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def _repository_path(source: str, target: str) -> str | None:
    """The path from the root of what a link in a file means; None for anchors and other sites."""
    path = target.partition("#")[0]
    if not path or "://" in path or path.startswith("mailto:"):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _site_path(path: str) -> str:
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    folder, name = posixpath.split(path)
    name = {"README.md": "index.md"}.get(name, name if name.endswith(".md") else name + ".md")
    return posixpath.join(_CARRIED, folder, name)


def _source_of(site_path: str) -> str:
    if not site_path.startswith(_CARRIED + "/"):
        return f"docs/{site_path}"
    path = site_path.removeprefix(_CARRIED + "/")
    candidates = (path, posixpath.join(posixpath.dirname(path), "README.md"), path.removesuffix(".md"))
    return next(name for name in candidates if (ROOT / name).is_file())


def _page(path: str, source: str) -> str:
    """What is shown of a file: a Markdown file as it is, any other as a listing."""
    if not (ROOT / path).is_file():
        raise PluginError(f"{source}: the link to {path} leads nowhere")
    text = _text(path)
    if path.endswith(".md"):
        return text
    return f"# {path}\n\n```{_LANGUAGES.get(Path(path).suffix, 'text')}\n{text.rstrip()}\n```\n"
