"""Definitions of a grammar and of what it imports, each found by its name where it is used.

Law: names mean what they mean in Lark: an imported rule keeps the names of its own file, `%override` and
`%extend` change it for that file's rules too, and each import of a file is a copy of its own.
Cost: each file is parsed once; the number of copies is bounded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from gramspec.errors import GrammarError
from gramspec.grammar.lark.hooks import Attributes, Extended
from gramspec.grammar.lark.scan import Source
from gramspec.grammar.lark.syntax import MAX_TEXT, read
from gramspec.grammar.lark.trees import Token, Tree
from gramspec.grammar.rules import Position

MAX_COPIES: Final = 1000
_LIBRARY: Final = "lark:"


@dataclass(eq=False, slots=True)
class Definition:
    """A rule, a template or a terminal.

    Parameters
    ----------
    name : str
        For errors and drawings; that of an imported one that has no alias begins with its file's path.
    is_terminal : bool
    params : tuple of str
        Those of a template.
    bodies : list
        Trees of alternatives, each with the scope in which its names mean something; none if declared only.
    position : Position
        Where it is defined.
    priority : int
        The number after its name; what it means is the lexer's to say.
    attributes : Attributes, optional
        Those in brackets after its name.
    """

    name: str
    is_terminal: bool
    params: tuple[str, ...]
    bodies: list[tuple[Tree, Scope]]
    position: Position
    priority: int = 0
    attributes: Attributes | None = None

    @property
    def kind(self) -> str:
        """What an error calls it."""
        return "terminal" if self.is_terminal else ("template" if self.params else "rule")


@dataclass(eq=False, slots=True)
class Scope:
    """The names of one copy of a file."""

    source: Source
    prefix: str = ""
    library: bool = False
    names: dict[str, Definition] = field(default_factory=dict)
    ignored: list[Tree] = field(default_factory=list)
    initial_gap: bool = True

    def place(self, token: Token) -> Position:
        """Where a token stands in the user's text."""
        return self.source.position(token.start_pos)

    def find(self, token: Token) -> Definition:
        """The definition that a name means.

        Raises
        ------
        GrammarError
            If there is none.
        """
        found = self.names.get(token.value)
        if found is None or found.is_terminal != (token.type == "TERMINAL"):
            kind = "terminal" if token.type == "TERMINAL" else "rule"
            reason = f"{kind} `{token.value}` is used but not defined"
            raise self.place(token).error(reason, self.suggest(token.value))
        return found

    def suggest(self, name: str) -> str:
        """A hint for a name that means nothing here."""
        from gramspec.grammar.rules import near

        return near(name, list(self.names), "rule")


class Loader:
    """Reads a grammar and the files it imports.

    Parameters
    ----------
    import_paths : sequence of path
        Folders in which `%import path.NAME` is looked up before Lark's own library.
    """

    def __init__(self, import_paths: Sequence[str | os.PathLike[str]]) -> None:
        self.import_paths = [os.fspath(path) for path in import_paths]
        self.parsed: dict[str, tuple[Source, Extended, Tree]] = {}
        self.copies = 0

    def load(self, text: str, folder: str | None) -> Scope:
        """The names of the user's own text; relative imports start at `folder`."""
        return self._scope(read(text), folder, "", ())

    def _scope(
        self,
        parsed: tuple[Source, Extended, Tree],
        folder: str | None,
        prefix: str,
        chain: tuple[str, ...],
    ) -> Scope:
        source, extended, tree = parsed
        scope = Scope(source, prefix, bool(chain) and chain[-1].startswith(_LIBRARY))
        scope.initial_gap = extended.initial_gap
        for group in _imports(tree).values():
            self._import(scope, group, folder, chain)
        for statement in tree.children:
            match statement.data:
                case "rule" | "term":
                    _define(scope, statement, extended)
                case "override":
                    _define(scope, statement.children[0], extended, override=True)
                case "extend":
                    _extend(scope, statement.children[0])
                case "ignore":
                    scope.ignored.append(statement.children[0])
                case "declare":
                    for symbol in statement.children:
                        _declare(scope, symbol.children[0])
        return scope

    def _import(
        self,
        scope: Scope,
        group: list[tuple[Tree, list[tuple[Token, Token]]]],
        folder: str | None,
        chain: tuple[str, ...],
    ) -> None:
        """Bind the names of all imports from one file, which share a copy of it."""
        path_tree, first = group[0]
        relative = path_tree.data == "import_rel"
        steps = [token.value for token in path_tree.children]
        if len(first) == 1 and first[0][0] is path_tree.children[-1]:
            steps.pop()
        position = scope.place(path_tree.children[0])
        file, parsed, below = self._file(steps, folder if relative else None, position)
        if file in chain:
            loop = " → ".join(Path(name).name for name in (*chain[chain.index(file) :], file))
            raise position.error(f"files import each other in a loop: {loop}", "take one of the imports out")
        self.copies += 1
        if self.copies > MAX_COPIES:
            raise position.error(f"more than {MAX_COPIES} imports of files, each with a copy of its names")
        dotted = "__".join(steps)
        prefix = f"{scope.prefix}{dotted}__"
        copy = self._scope(parsed, below, prefix, (*chain, file))
        for _, names in group:
            for name, alias in names:
                found = copy.names.get(name.value)
                if found is None:
                    reason = f"`{'.'.join(steps)}` defines no `{name.value}`"
                    raise scope.place(name).error(reason, copy.suggest(name.value))
                if alias.value in scope.names:
                    raise scope.place(alias).error(
                        f"`{alias.value}` is imported twice", "give one of the two another name with `->`"
                    )
                if found.is_terminal != (alias.type == "TERMINAL"):
                    reason = f"`{name.value}` is a {found.kind} and cannot be called `{alias.value}`"
                    raise scope.place(alias).error(reason, "rules are in lower case, terminals in upper case")
                found.name = scope.prefix + alias.value
                scope.names[alias.value] = found

    def _file(
        self, steps: list[str], folder: str | None, position: Position
    ) -> tuple[str, tuple[Source, Extended, Tree], str | None]:
        """The file that an import means: its name, its tree, and the folder of its own relative imports."""
        if not steps:
            raise position.error("nothing is imported from the file", "write `%import file.NAME`")
        tail = Path(*steps).with_suffix(".lark")
        folders = [*self.import_paths, *([folder] if folder is not None else [])]
        for base in folders:
            if base.startswith(_LIBRARY):
                continue
            path = Path(base) / tail
            if path.is_file():
                return str(path), self._parsed(str(path), path, position), str(path.parent)
        if folder is None or folder.startswith(_LIBRARY):
            path = Path(str(resources.files("lark"))) / "grammars" / tail
            if path.is_file():
                name = f"{_LIBRARY}{tail.as_posix()}"
                return name, self._parsed(name, path, position, library=True), _LIBRARY
        looked = ", ".join(str(base) for base in folders) or "Lark's own library"
        raise position.error(
            f"`{'.'.join(steps)}`: there is no file {tail.as_posix()} in {looked}",
            "say import_paths= for folders of grammars, base_path= for relative imports",
        )

    def _parsed(
        self, name: str, path: Path, position: Position, *, library: bool = False
    ) -> tuple[Source, Extended, Tree]:
        if name not in self.parsed:
            try:
                with path.open(encoding="utf-8") as stream:
                    text = stream.read(MAX_TEXT + 1)
            except (OSError, UnicodeDecodeError) as error:
                raise position.error(f"{path} cannot be read: {error}") from None
            self.parsed[name] = read(text, path.name, plain=library)
        return self.parsed[name]


def script_folder() -> str:
    """Where Lark looks for the relative imports of a text: beside the running script, or here."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.path.abspath(os.curdir)


def _imports(tree: Tree) -> dict[tuple[str, ...], list[tuple[Tree, list[tuple[Token, Token]]]]]:
    """The import statements by file: the path of each, and names with their aliases."""
    groups: dict[tuple[str, ...], list[tuple[Tree, list[tuple[Token, Token]]]]] = {}
    for statement in tree.children:
        if statement.data != "import":
            continue
        path, *rest = statement.children
        steps = [token.value for token in path.children]
        if rest and getattr(rest[0], "data", "") == "name_list":
            names = [(name, name) for name in rest[0].children]
        else:
            steps.pop()
            name = path.children[-1]
            names = [(name, rest[0] if rest else name)]
        groups.setdefault((path.data, *steps), []).append((path, names))
    return groups


def _define(scope: Scope, statement: Tree, extended: Extended, *, override: bool = False) -> None:
    name, is_terminal, params, body, priority = _parts(scope, statement)
    known = scope.names.get(name.value)
    if override:
        if known is None:
            reason = f"`%override` of `{name.value}`, which is not defined before"
            raise scope.place(name).error(reason, scope.suggest(name.value))
        known.params, known.bodies, known.position = params, [(body, scope)], scope.place(name)
        known.attributes = extended.attributes.get(name.value)
        return
    if known is not None:
        raise scope.place(name).error(
            f"`{name.value}` is defined twice, first at {known.position}",
            "use `%override` to replace what was imported, `%extend` to add alternatives",
        )
    scope.names[name.value] = Definition(
        scope.prefix + name.value,
        is_terminal,
        params,
        [(body, scope)],
        scope.place(name),
        priority,
        extended.attributes.get(name.value),
    )


def _extend(scope: Scope, statement: Tree) -> None:
    name, _, params, body, _ = _parts(scope, statement)
    known = scope.names.get(name.value)
    if known is None:
        reason = f"`%extend` of `{name.value}`, which is not defined before"
        raise scope.place(name).error(reason, scope.suggest(name.value))
    if params != known.params:
        raise scope.place(name).error(f"`%extend` of template `{name.value}` with other parameters")
    if not known.bodies:
        raise scope.place(name).error(f"`%extend` of `{name.value}`, which is only declared")
    known.bodies.insert(0, (body, scope))


def _declare(scope: Scope, name: Token) -> None:
    if name.value in scope.names:
        raise scope.place(name).error(f"`{name.value}` is declared, and defined elsewhere")
    is_terminal = name.type == "TERMINAL"
    scope.names[name.value] = Definition(scope.prefix + name.value, is_terminal, (), [], scope.place(name))


def _parts(scope: Scope, statement: Tree) -> tuple[Token, bool, tuple[str, ...], Tree, int]:
    """Name, whether it is a terminal, parameters, alternatives and priority of a definition."""
    children: list[Any] = statement.children
    if statement.data == "term":
        priority = _number(children[1]) if len(children) == 3 else 0
        return children[0], True, (), children[-1], priority
    modifiers, name, params, priority_tree, body = children
    if modifiers.children and "?" in modifiers.children[0] and name.value.startswith("_"):
        raise scope.place(name).error(
            f"rule `{name.value}` is inlined always (`_`) and cannot be inlined sometimes (`?`) besides",
            "take one of the two off",
        )
    found: list[str] = []
    for param in params.children if params is not None else ():
        if param.value in found:
            raise scope.place(param).error(f"template `{name.value}` has parameter `{param.value}` twice")
        found.append(param.value)
    priority = _number(priority_tree.children[0]) if priority_tree.children else 0
    return name, False, tuple(found), body, priority


def _number(token: Token) -> int:
    """A priority; its size says nothing about what belongs to the language."""
    text = token.value[:12]
    return int(text)


def check_template(definition: Definition) -> None:
    """Refuse parameters that are rules besides, as Lark does.

    Raises
    ------
    GrammarError
        At the template.
    """
    for _, scope in definition.bodies[:1]:
        for param in definition.params:
            if param in scope.names:
                raise _clash(definition, param)


def _clash(definition: Definition, param: str) -> GrammarError:
    return definition.position.error(
        f"parameter `{param}` of template `{definition.name}` is a rule besides", "rename one of the two"
    )
