"""The formats of a structural tag, each as an expression.

Law: free text directly inside a tag (not inside an inner one) holds none of that tag's end strings, but for
that of a dispatch, which holds what its own excludes leave. Tags are told apart by their triggers.
Cost: linear in the specification; equal schemas are compiled once.
Source: the documentation of xgrammar's structural tags; `gramspec.grammar.tags.text` for free text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from gramspec.errors import GrammarError, LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.choice import prefix_tree
from gramspec.grammar.core import Residual
from gramspec.grammar.tags.contents import Contents, checked_schema, grammar_of, regex_of
from gramspec.grammar.tags.fields import Fields, encoded
from gramspec.grammar.tags.text import free_text, tag_dispatch
from gramspec.grammar.tags.tokens import checked_token

_DEEPEST: Final = 100
_MOST_FORMATS: Final = 100_000
_MOST_REPETITIONS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """An expression, and predicates on the whole text that stands for it."""

    expr: ir.Expr
    residuals: tuple[Residual, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag that begins with a string."""

    begin: bytes
    rest: ir.Expr  # content and end
    place: str


@dataclass(frozen=True, slots=True)
class _Inside:
    """What free text is inside of.

    `ends` are the end strings of the innermost tag, `tokens` its end token; `closed` tells whether free text
    can be told from what follows it: outside of tags, and in tags with an end that is not empty.
    """

    ends: tuple[bytes, ...] = ()
    tokens: tuple[int | str, ...] = ()
    closed: bool = True
    depth: int = 0

    def deeper(self) -> _Inside:
        return replace(self, depth=self.depth + 1)


class Formats:
    """Reads formats; keeps what equal schemas were made into."""

    def __init__(self) -> None:
        self._contents = Contents()
        self._read_formats = 0
        self._readers: dict[str, Callable[[Fields, _Inside], ir.Expr]] = {
            "const_string": self._const_string,
            "json_schema": self._json_schema,
            "qwen_xml_parameter": self._qwen_xml_parameter,
            "grammar": self._grammar,
            "regex": self._regex,
            "any_text": self._any_text,
            "sequence": self._sequence,
            "or": self._or,
            "optional": self._optional,
            "plus": self._plus,
            "star": self._star,
            "repeat": self._repeat,
            "tag": self._tag,
            "triggered_tags": self._triggered_tags,
            "tags_with_separator": self._tags_with_separator,
            "dispatch": self._dispatch,
            "token": self._token,
            "exclude_token": self._exclude_token,
            "any_tokens": self._any_tokens,
            "token_triggered_tags": self._token_triggered_tags,
            "token_dispatch": self._token_dispatch,
        }

    def whole(self, value: object, place: str) -> Content:
        """A format that is all there is: its residual predicates are those of the grammar."""
        if isinstance(value, Mapping) and value.get("type") == "json_schema":
            grammar = self._contents.schema_of(Fields(value, place, "a json_schema format"))
            return Content(grammar.expr, grammar.residuals)
        return Content(self._read(value, place, _Inside()))

    def legacy(self, fields: Fields) -> Content:
        """Triggers and structures of the older form."""
        triggers = fields.texts("triggers", need=True, filled=True)
        tags = []
        for index, each in enumerate(fields.items("structures", need=True, filled=True)):
            inner = Fields(each, fields.at("structures", index), "a structure")
            begin = inner.text("begin")
            at = inner.at("schema")
            content = self._contents.inside(self._contents.schema(inner.need("schema"), at), at)
            end = inner.text("end", empty=True)
            inner.close()
            tags.append(_Tag(begin, ir.concat(content, ir.literal(end)), inner.place))
        places = [fields.at("triggers", i) for i in range(len(triggers))]
        pairs = self._triggered(triggers, tags, places)
        return Content(tag_dispatch(pairs, loop=True, places=places))

    # -- reading --------------------------------------------------------------------------------

    def _read(self, value: object, place: str, inside: _Inside, kind: str | None = None) -> ir.Expr:
        if inside.depth > _DEEPEST:
            raise GrammarError(
                place,
                f"formats are nested more than {_DEEPEST} deep",
                "write them flatter; a cycle cannot be",
            )
        self._read_formats += 1
        if self._read_formats > _MOST_FORMATS:
            raise LimitError("max_nodes", f"the specification has more than {_MOST_FORMATS} formats")
        fields = Fields(value, place, "a format")
        name = fields.get("type", kind) if kind is not None else fields.need("type")
        reader = self._readers.get(name) if isinstance(name, str) else None
        if reader is None:
            near = get_close_matches(str(name), self._readers, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"known types: {', '.join(self._readers)}"
            raise GrammarError(fields.at("type"), f"{name!r} is no type of format", hint)
        if kind is not None and name != kind:
            raise GrammarError(fields.at("type"), f"a {kind!r} has to stand here, not {name!r}")
        fields.what = f"a {name} format"
        expr = reader(fields, inside)
        fields.close()
        return expr

    def _part(self, fields: Fields, inside: _Inside) -> ir.Expr:
        """The field ``content``."""
        return self._read(fields.need("content"), fields.at("content"), inside.deeper())

    # -- leaves ---------------------------------------------------------------------------------

    def _const_string(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.literal(fields.text("value", empty=True))

    def _any_text(self, fields: Fields, inside: _Inside) -> ir.Expr:
        excludes = fields.texts("excludes")
        _refuse_max_tokens(fields)
        most = fields.get("max_chars")
        if most is not None:
            most = fields.number("max_chars", most, 0)
        elif not (inside.closed or excludes):
            raise _endless(fields.place)
        return free_text([*excludes, *inside.ends], most=most)

    def _regex(self, fields: Fields, inside: _Inside) -> ir.Expr:
        pattern = fields.text("pattern", empty=True).decode()
        if fields.texts("excludes"):
            raise UnsupportedError(fields.at("excludes"), "'excludes' of a pattern is not enforced")
        return regex_of(pattern, fields.at("pattern"))

    def _grammar(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return self._contents.inside(grammar_of(fields), fields.at("grammar"))

    def _token(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.TokenEdge(checked_token(fields.need("token"), fields.at("token")))

    def _exclude_token(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return _other_tokens([*_tokens(fields, "exclude_tokens"), *inside.tokens])

    def _any_tokens(self, fields: Fields, inside: _Inside) -> ir.Expr:
        excludes = _tokens(fields, "exclude_tokens")
        most = fields.get("max_tokens")
        if most is not None:
            most = fields.number("max_tokens", most, 0)
        elif not (inside.closed or excludes):
            raise _endless(fields.place)
        return ir.repeat(_other_tokens([*excludes, *inside.tokens]), 0, most)

    # -- schemas --------------------------------------------------------------------------------

    def _json_schema(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return self._contents.inside(self._contents.schema_of(fields), fields.at("json_schema"))

    def _qwen_xml_parameter(self, fields: Fields, inside: _Inside) -> ir.Expr:
        place = fields.at("json_schema")
        schema = checked_schema(fields.need("json_schema"), place)
        return self._contents.inside(self._contents.schema(schema, place, style="qwen_xml"), place)

    # -- combinations ---------------------------------------------------------------------------

    def _each(self, fields: Fields, inside: _Inside) -> list[ir.Expr]:
        parts = fields.items("elements", need=True, filled=True)
        return [self._read(each, fields.at("elements", i), inside.deeper()) for i, each in enumerate(parts)]

    def _sequence(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.concat(*self._each(fields, inside))

    def _or(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.union(*self._each(fields, inside))

    def _optional(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.optional(self._part(fields, inside))

    def _plus(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.repeat(self._part(fields, inside), 1)

    def _star(self, fields: Fields, inside: _Inside) -> ir.Expr:
        return ir.repeat(self._part(fields, inside))

    def _repeat(self, fields: Fields, inside: _Inside) -> ir.Expr:
        least = fields.number("min", fields.need("min"), 0)
        most = fields.number("max", fields.need("max"), -1)
        if most != -1 and most < least:
            raise GrammarError(fields.at("max"), f"'max' is {most}, less than 'min', which is {least}")
        if max(least, most) > _MOST_REPETITIONS:
            raise GrammarError(
                fields.place, f"more than {_MOST_REPETITIONS} repetitions", "use -1 for no bound"
            )
        return ir.repeat(self._part(fields, inside), least, None if most == -1 else most)

    # -- tags -----------------------------------------------------------------------------------

    def _tag(self, fields: Fields, inside: _Inside) -> ir.Expr:
        begin = fields.need("begin")
        if isinstance(begin, Mapping):
            first: ir.Expr = self._read(begin, fields.at("begin"), inside.deeper(), "token")
        else:
            first = ir.literal(encoded(begin, fields.at("begin"), "'begin'", empty=True))
        return ir.concat(first, self._rest(fields, inside))

    def _rest(self, fields: Fields, inside: _Inside) -> ir.Expr:
        """Content and end of a tag."""
        end, place = fields.need("end"), fields.at("end")
        if isinstance(end, Mapping):
            last: ir.Expr = self._read(end, place, inside.deeper(), "token")
            within = _Inside(tokens=(end["token"],), depth=inside.depth)
        else:
            given = fields.items("end", need=True, filled=True) if not isinstance(end, str) else [end]
            texts = [encoded(each, place, "'end'", empty=True) for each in given]
            last = ir.union(*(ir.literal(text) for text in sorted(set(texts))))
            kept = tuple(text for text in texts if text)
            within = _Inside(kept, closed=bool(kept), depth=inside.depth)
        return ir.concat(self._part(fields, within), last)

    def _tags(self, fields: Fields, inside: _Inside) -> Iterator[tuple[object, Fields, ir.Expr]]:
        """Begin, fields, and content with end of each tag."""
        for index, each in enumerate(fields.items("tags", need=True, filled=True)):
            inner = Fields(each, fields.at("tags", index), "a tag format")
            kind = inner.get("type", "tag")
            if kind != "tag":
                raise GrammarError(inner.at("type"), f"a 'tag' has to stand here, not {kind!r}")
            begin = inner.need("begin")
            rest = self._rest(inner, inside.deeper())
            inner.close()
            yield begin, inner, rest

    def _triggered_tags(self, fields: Fields, inside: _Inside) -> ir.Expr:
        triggers = fields.texts("triggers", need=True, filled=True)
        excludes = fields.texts("excludes")
        first, once = fields.flag("at_least_one"), fields.flag("stop_after_first")
        if not (inside.closed or excludes or (first and once)):
            raise _endless(fields.place)
        tags = []
        for begin, inner, rest in self._tags(fields, inside):
            if isinstance(begin, Mapping):
                hint = "use token_triggered_tags for tags that begin with a token"
                raise GrammarError(inner.at("begin"), "a triggered tag begins with a text", hint)
            data = encoded(begin, inner.at("begin"), "'begin'")
            tags.append(_Tag(data, rest, inner.at("begin")))
        places = [fields.at("triggers", i) for i in range(len(triggers))]
        pairs = self._triggered(triggers, tags, places)
        follow = tag_dispatch(pairs, loop=not once, excludes=[*excludes, *inside.ends], places=places)
        if not first:
            return follow
        now = _tree([(tag.begin, tag.rest) for tag in tags])
        return now if once else ir.concat(now, follow)

    @staticmethod
    def _triggered(triggers: list[bytes], tags: list[_Tag], places: list[str]) -> list[tuple[bytes, ir.Expr]]:
        """For each trigger what follows it."""
        distinct = {trigger: number for number, trigger in reversed(list(enumerate(triggers)))}
        lengths = sorted({len(trigger) for trigger in triggers})
        follow: dict[bytes, list[tuple[bytes, ir.Expr]]] = {trigger: [] for trigger in distinct}
        for tag in tags:
            heads = [tag.begin[:n] for n in lengths if n <= len(tag.begin) and tag.begin[:n] in distinct]
            if len(heads) != 1:
                shown = repr(tag.begin.decode())
                reason = f"the tag {shown} begins with {'no' if not heads else 'more than one'} trigger"
                hint = "a trigger is a prefix of the begin string"
                if heads:
                    hint = "keep one of " + ", ".join(places[distinct[head]] for head in heads)
                raise GrammarError(tag.place, reason, hint)
            follow[heads[0]].append((tag.begin[len(heads[0]) :], tag.rest))
        for trigger, members in follow.items():
            if not members:
                shown = repr(trigger.decode())
                raise GrammarError(
                    places[distinct[trigger]], f"no tag begins with the trigger {shown}", "take it out"
                )
        return [(trigger, _tree(members)) for trigger, members in follow.items()]

    def _tags_with_separator(self, fields: Fields, inside: _Inside) -> ir.Expr:
        separator = fields.text("separator", empty=True)
        first, once = fields.flag("at_least_one"), fields.flag("stop_after_first")
        texts, others = [], []
        for begin, inner, rest in self._tags(fields, inside):
            if isinstance(begin, Mapping):
                others.append(ir.concat(self._read(begin, inner.at("begin"), inside.deeper(), "token"), rest))
            else:
                texts.append((encoded(begin, inner.at("begin"), "'begin'", empty=True), rest))
        tag = ir.union(_tree(texts), *others)
        tags = tag if once else ir.concat(tag, ir.repeat(ir.concat(ir.literal(separator), tag)))
        return tags if first else ir.optional(tags)

    def _dispatch(self, fields: Fields, inside: _Inside) -> ir.Expr:
        excludes = fields.texts("excludes")
        loop = fields.flag("loop") if "loop" in fields.value else fields.get("loop", True)
        if not (inside.closed or excludes):
            raise _endless(fields.place)
        pairs, places = [], []
        for place, pattern, expr in self._rules(fields, inside):
            places.append(place)
            pairs.append((encoded(pattern, place, "a pattern"), expr))
        return tag_dispatch(pairs, loop=loop, excludes=excludes, places=places)

    # -- tags that begin with tokens ------------------------------------------------------------

    def _token_triggered_tags(self, fields: Fields, inside: _Inside) -> ir.Expr:
        triggers = _tokens(fields, "trigger_tokens", filled=True)
        excludes = _tokens(fields, "exclude_tokens")
        first, once = fields.flag("at_least_one"), fields.flag("stop_after_first")
        follow: dict[int | str, list[ir.Expr]] = {trigger: [] for trigger in triggers}
        for begin, inner, rest in self._tags(fields, inside):
            if not isinstance(begin, Mapping):
                hint = "use triggered_tags for tags that begin with a text"
                raise GrammarError(inner.at("begin"), "the tag has to begin with a token", hint)
            self._read(begin, inner.at("begin"), inside.deeper(), "token")
            if begin["token"] not in follow:
                reason = f"the tag begins with no trigger: {begin['token']!r} is none of them"
                raise GrammarError(inner.at("begin"), reason, "write both by name or both by id")
            follow[begin["token"]].append(rest)
        for trigger, members in follow.items():
            if not members:
                place = fields.at("trigger_tokens", triggers.index(trigger))
                raise GrammarError(place, f"no tag begins with the trigger {trigger!r}", "take it out")
        if not (inside.closed or excludes or (first and once)):
            raise _endless(fields.place)
        excludes += inside.tokens
        pairs = [(trigger, ir.union(*members)) for trigger, members in follow.items()]
        if not first:
            return _token_dispatch(pairs, excludes, loop=not once)
        now = ir.union(*(ir.concat(ir.TokenEdge(trigger), expr) for trigger, expr in pairs))
        return now if once else ir.concat(now, _token_dispatch(pairs, excludes, loop=True))

    def _token_dispatch(self, fields: Fields, inside: _Inside) -> ir.Expr:
        excludes = _tokens(fields, "exclude_tokens")
        loop = fields.flag("loop") if "loop" in fields.value else fields.get("loop", True)
        if not (inside.closed or excludes):
            raise _endless(fields.place)
        pairs = []
        for place, pattern, expr in self._rules(fields, inside):
            pairs.append((checked_token(pattern, place), expr))
        return _token_dispatch(pairs, excludes, loop=loop)

    def _rules(self, fields: Fields, inside: _Inside) -> Iterator[tuple[str, object, ir.Expr]]:
        """Place of the pattern, pattern, and what follows, of each rule."""
        for index, rule in enumerate(fields.items("rules", need=True, filled=True)):
            place = fields.at("rules", index)
            if not isinstance(rule, list | tuple) or len(rule) != 2:
                raise GrammarError(place, "a rule is a list of a pattern and a format")
            yield f"{place}/0", rule[0], self._read(rule[1], f"{place}/1", inside.deeper())


def _tokens(fields: Fields, name: str, *, filled: bool = False) -> list[int | str]:
    values = fields.items(name, need=filled, filled=filled)
    return [checked_token(value, fields.at(name, index)) for index, value in enumerate(values)]


def _other_tokens(excludes: Sequence[int | str]) -> ir.Expr:
    return ir.TokenSet(tuple(dict.fromkeys(excludes)), negated=True)


def _token_dispatch(
    pairs: Sequence[tuple[int | str, ir.Expr]], excludes: Sequence[int | str], *, loop: bool
) -> ir.Expr:
    """Tokens, each of which may be a trigger with what follows it."""
    triggers = [trigger for trigger, _ in pairs]
    free = ir.repeat(_other_tokens([*triggers, *excludes]))
    called = ir.union(*(ir.concat(ir.TokenEdge(trigger), expr) for trigger, expr in pairs))
    return ir.concat(free, ir.repeat(ir.concat(called, free)) if loop else ir.optional(called))


def _tree(members: list[tuple[bytes, ir.Expr]]) -> ir.Expr:
    """Strings, each with what follows it; common prefixes once."""
    follow: dict[bytes, list[ir.Expr]] = {}
    for data, expr in members:
        follow.setdefault(data, []).append(expr)
    return prefix_tree(sorted(follow), {data: ir.union(*exprs) for data, exprs in follow.items()})


def _refuse_max_tokens(fields: Fields) -> None:
    if fields.get("max_tokens") is not None:
        raise UnsupportedError(
            fields.at("max_tokens"),
            "a bound on the tokens of a part is not enforced: a language of bytes has no token counts",
            "bound the characters by max_chars, or the whole text by max_new_tokens",
        )


def _endless(place: str) -> GrammarError:
    return GrammarError(
        place,
        "free text in a tag whose end is empty: nothing tells where it ends",
        "give the tag an end that is not empty, or bound the text by max_chars",
    )
