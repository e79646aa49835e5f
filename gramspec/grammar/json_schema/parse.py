"""Schemas to nodes: what each keyword of each draft says, in the schema algebra.

Law: every assertion and applicator of the schema's draft is read; malformed ones are errors with pointers.
Source: JSON Schema Core, section 10; Validation, sections 6 and 7; drafts 4 to 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.json_schema import formats, keywords
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.formulas import (
    Between,
    Format,
    Formula,
    Integral,
    Length,
    Multiple,
    Pattern,
    Plain,
)
from gramspec.grammar.json_schema.nodes import (
    FALSE,
    TRUE,
    At,
    Constants,
    Contains,
    Count,
    Items,
    Literal,
    Members,
    Names,
    Node,
    Nodes,
    Required,
    Scalar,
    TypeIs,
    Unique,
    identity,
    negate,
)
from gramspec.grammar.json_schema.sources import Json
from gramspec.grammar.json_schema.strings import string_characters

Object = dict[str, Json]
Reader = Callable[["Schemas", Place, Object], Literal]

TYPES = frozenset(["null", "boolean", "object", "array", "string", "number"])


class Schemas:
    """The sub-schemas of some documents as literals, each read when first asked for.

    Parameters
    ----------
    documents : Documents
        Where the schemas are.
    nodes : Nodes
        Interns what they say.
    formats : bool
        Whether ``format`` is an assertion.
    ordered : bool
        Whether declared properties have an order.
    """

    def __init__(self, documents: Documents, nodes: Nodes, *, formats: bool, ordered: bool = False) -> None:
        self.documents = documents
        self.nodes = nodes
        self.formats = formats
        self.ordered = ordered
        self.origins: dict[Node, tuple[str, str]] = {}
        self._bodies: dict[Place, Literal] = {}

    def at(self, place: Place) -> Literal:
        """The literal of the schema at a place, read later; bare references are followed."""
        seen: set[Place] = set()
        while True:
            schema = self.documents.schema(place)
            if isinstance(schema, bool):
                return TRUE if schema else FALSE
            known = self.known(place, schema)
            if known != ["$ref"] or place in seen or _evaluates(schema):
                # What has no parts is read at once: equal leaves are then one literal, wherever they are.
                leaf = _LEAVES.issuperset(known) and not _evaluates(schema)
                return self.body(place) if leaf else self.nodes.literal(At(place))
            seen.add(place)
            place = self.documents.targets(place, "$ref")

    def body(self, place: Place) -> Literal:
        """What the schema at a place says."""
        found = self._bodies.get(place)
        if found is None:
            found = self._bodies[place] = self._read(place)
        return found

    def known(self, place: Place, schema: Object) -> list[str]:
        """The keywords of a schema that its draft knows, in the order in which they are written."""
        draft = self.documents.draft(place)
        result: list[str] = []
        for keyword in schema:
            entry = _READERS.get(keyword)
            if entry is not None and draft.knows(entry[0], entry[1]):
                result.append(keyword)
        return result

    def note(self, node: Node, place: Place, keyword: str) -> Literal:
        """The literal of a node, whose place in the user's schema is remembered."""
        self.origins.setdefault(node, (f"{self.documents.pointer(place)}/{keyword}", keyword))
        return self.nodes.literal(node)

    def child(self, place: Place, *tokens: str | int) -> Literal:
        """The literal of a schema below a place."""
        return self.at(self.documents.child(place, *tokens))

    def branches(self, place: Place, schema: Object, keyword: str) -> list[Place]:
        """The places of the schemas of ``allOf``, ``anyOf`` or ``oneOf``."""
        count = len(keywords.items(self.where(place), schema, keyword))
        if not count:
            raise GrammarError(f"{self.where(place)}/{keyword}", "must not be empty")
        return [self.documents.child(place, keyword, index) for index in range(count)]

    def where(self, place: Place) -> str:
        """A place as users know it."""
        return self.documents.pointer(place)

    def _read(self, place: Place) -> Literal:
        from gramspec.grammar.json_schema.unevaluated import unevaluated_items, unevaluated_members

        schema = self.documents.schema(place)
        if isinstance(schema, bool):
            return TRUE if schema else FALSE
        parts: list[Literal] = []
        done: set[Reader] = set()
        for keyword in self.known(place, schema):
            reader = _READERS[keyword][2]
            if reader not in done:
                done.add(reader)
                parts.append(reader(self, place, schema))
        draft = self.documents.draft(place)
        if draft.knows(2019, 2020):
            if "unevaluatedItems" in schema:
                parts.append(unevaluated_items(self, place))
            if "unevaluatedProperties" in schema:
                parts.append(unevaluated_members(self, place))
        return self.nodes.all(parts)


def _evaluates(schema: Object) -> bool:
    return "unevaluatedItems" in schema or "unevaluatedProperties" in schema


def tuple_items(schemas: Schemas, place: Place, schema: Object) -> tuple[list[Literal], Literal | None]:
    """Schemas of the items by position, and that of all later ones (None: not given)."""
    where, draft = schemas.where(place), schemas.documents.draft(place)
    given = schema.get("items")
    if draft.number >= 2020:
        if isinstance(given, list):
            raise UnsupportedError(
                f"{where}/items", "`items` as a list is not part of draft 2020-12", "use `prefixItems`"
            )
        count = len(keywords.items(where, schema, "prefixItems"))
        prefix = [schemas.child(place, "prefixItems", index) for index in range(count)]
        return prefix, schemas.child(place, "items") if "items" in schema else None
    if not isinstance(given, list):
        return [], schemas.child(place, "items") if "items" in schema else None
    prefix = [schemas.child(place, "items", index) for index in range(len(given))]
    return prefix, schemas.child(place, "additionalItems") if "additionalItems" in schema else None


def _types(schemas: Schemas, place: Place, schema: Object) -> Literal:
    given = schema["type"]
    names = given if isinstance(given, list) else [given]
    for name in names:
        if not isinstance(name, str) or (name not in TYPES and name != "integer"):
            raise GrammarError(f"{schemas.where(place)}/type", f"{name!r} is not the name of a type")
    types = {str(name) for name in names}
    integer = "integer" in types and "number" not in types
    if "integer" in types:
        types = types - {"integer"} | {"number"}
    parts: list[Literal] = []
    if types != TYPES:
        parts.append(schemas.nodes.literal(TypeIs(frozenset(types))) if types else FALSE)
    if integer:
        formula: Formula = Plain() if schemas.documents.draft(place).number == 4 else Integral()
        parts.append(schemas.nodes.literal(Scalar("number", formula)))
    return schemas.nodes.all(parts)


def constants(nodes: Nodes, values: list[Json]) -> Literal:
    """The literal of being equal to one of some values."""
    if not values:
        return FALSE
    return nodes.literal(Constants(frozenset(identity(value) for value in values), tuple(values)))


def _enum(schemas: Schemas, place: Place, schema: Object) -> Literal:
    return constants(schemas.nodes, keywords.items(schemas.where(place), schema, "enum"))


def _const(schemas: Schemas, place: Place, schema: Object) -> Literal:
    return constants(schemas.nodes, [schema["const"]])


def _length(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where = schemas.where(place)
    least = keywords.natural(where, schema, "minLength") or 0
    most = keywords.natural(where, schema, "maxLength")
    if most is not None and least > most:
        return negate(schemas.nodes.literal(TypeIs(frozenset(["string"]))))
    if least == 0 and most is None:
        return TRUE
    return schemas.nodes.literal(Scalar("string", Length(least, most)))


def _pattern(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where = f"{schemas.where(place)}/pattern"
    text = schema["pattern"]
    if not isinstance(text, str):
        raise GrammarError(where, "must be a string")
    check_pattern(where, text)
    return schemas.nodes.literal(Scalar("string", Pattern(text)))


def check_pattern(where: str, text: str) -> None:
    """Raise with the pointer of a pattern that cannot be read."""
    try:
        string_characters(Pattern(text))
    except UnsupportedError as error:
        raise UnsupportedError(where, f"pattern {text!r}: {error.reason}", error.hint) from error
    except GrammarError as error:
        raise GrammarError(where, f"pattern {text!r}: {error.reason}", error.hint) from error


def _format(schemas: Schemas, place: Place, schema: Object) -> Literal:
    name = schema["format"]
    if not isinstance(name, str):
        raise GrammarError(f"{schemas.where(place)}/format", "must be a string")
    if not schemas.formats or not formats.known(name):
        return TRUE
    return schemas.note(Scalar("string", Format(name)), place, "format")


def _bounds(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where, draft = schemas.where(place), schemas.documents.draft(place)
    low: tuple[Decimal, bool] | None = None
    high: tuple[Decimal, bool] | None = None
    for name, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        found: list[tuple[Decimal, bool]] = []
        value = keywords.number(where, schema, name)
        if draft.number == 4:
            strict = keywords.boolean(where, schema, exclusive)
            found.extend([] if value is None else [(value, strict)])
        else:
            found.extend([] if value is None else [(value, False)])
            value = keywords.number(where, schema, exclusive)
            found.extend([] if value is None else [(value, True)])
        if found and name == "minimum":
            low = max(found)
        elif found:
            high = min(found, key=lambda bound: (bound[0], not bound[1]))
    if low is None and high is None:
        return TRUE
    (bottom, low_strict), (top, high_strict) = low or (None, False), high or (None, False)
    return schemas.nodes.literal(Scalar("number", Between(bottom, low_strict, top, high_strict)))


def _multiple(schemas: Schemas, place: Place, schema: Object) -> Literal:
    divisor = keywords.number(schemas.where(place), schema, "multipleOf")
    assert divisor is not None
    if divisor <= 0:
        raise GrammarError(f"{schemas.where(place)}/multipleOf", "must be greater than 0")
    return schemas.note(Scalar("number", Multiple(divisor.normalize())), place, "multipleOf")


def _items(schemas: Schemas, place: Place, schema: Object) -> Literal:
    prefix, rest = tuple_items(schemas, place, schema)
    rest = TRUE if rest is None else rest
    while prefix and prefix[-1] == rest:
        prefix.pop()
    if not prefix and rest == TRUE:
        return TRUE
    return schemas.note(Items(tuple(prefix), rest), place, "items")


def _void_unless(nodes: Nodes, type_: str, literal: Literal) -> Literal:
    """The opposite of an assertion, for values of its type: the others satisfy it."""
    return nodes.any([negate(nodes.literal(TypeIs(frozenset([type_])))), negate(literal)])


def _size(type_: str, what: str) -> Reader:
    def read(schemas: Schemas, place: Place, schema: Object) -> Literal:
        where, nodes = schemas.where(place), schemas.nodes
        least = keywords.natural(where, schema, f"min{what}") or 0
        most = keywords.natural(where, schema, f"max{what}")
        parts: list[Literal] = []
        if least:
            parts.append(schemas.note(Count(type_, least), place, f"min{what}"))
        if most is not None:
            parts.append(
                _void_unless(nodes, type_, schemas.note(Count(type_, most + 1), place, f"max{what}"))
            )
        return nodes.all(parts)

    return read


def _unique(schemas: Schemas, place: Place, schema: Object) -> Literal:
    if not keywords.boolean(schemas.where(place), schema, "uniqueItems"):
        return TRUE
    return schemas.note(Unique(), place, "uniqueItems")


def _contains(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where, nodes = schemas.where(place), schemas.nodes
    item = schemas.child(place, "contains")
    least, most = 1, None
    if schemas.documents.draft(place).knows(2019, 2020):
        given = keywords.natural(where, schema, "minContains")
        least = 1 if given is None else given
        most = keywords.natural(where, schema, "maxContains")
    parts: list[Literal] = []
    if least:
        parts.append(schemas.note(Contains(item, least), place, "contains"))
    if most is not None:
        parts.append(
            _void_unless(nodes, "array", schemas.note(Contains(item, most + 1), place, "maxContains"))
        )
    return nodes.all(parts)


def _members(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where, known = schemas.where(place), schemas.known(place, schema)
    declared: list[tuple[str, Literal]] = []
    patterns: list[tuple[str, Literal]] = []
    if "properties" in known:
        for name in keywords.mapping(where, schema, "properties"):
            declared.append((name, schemas.child(place, "properties", name)))
    if "patternProperties" in known:
        for text in keywords.mapping(where, schema, "patternProperties"):
            check_pattern(f"{where}/patternProperties", text)
            patterns.append((text, schemas.child(place, "patternProperties", text)))
    others = schemas.child(place, "additionalProperties") if "additionalProperties" in known else TRUE
    if not declared and not patterns and others == TRUE:
        return TRUE
    return schemas.note(Members(tuple(declared), tuple(patterns), others), place, "properties")


def _required(schemas: Schemas, place: Place, schema: Object) -> Literal:
    names = keywords.names(schemas.where(place), schema, "required")
    return schemas.nodes.all(schemas.note(Required(name), place, "required") for name in names)


def _names(schemas: Schemas, place: Place, schema: Object) -> Literal:
    name = schemas.child(place, "propertyNames")
    return TRUE if name == TRUE else schemas.note(Names(name), place, "propertyNames")


def _dependent(schemas: Schemas, place: Place, keyword: str, name: str, need: Literal) -> Literal:
    """If an object has a member of this name, the need is met."""
    nodes = schemas.nodes
    has = schemas.note(Required(name), place, keyword)
    return nodes.any([_void_unless(nodes, "object", has), nodes.all([has, need])])


def _dependent_required(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where, parts = schemas.where(place), []
    for name, value in keywords.mapping(where, schema, "dependentRequired").items():
        needs = keywords.names(f"{where}/dependentRequired", {name: value}, name)
        need = schemas.nodes.all(schemas.note(Required(item), place, "dependentRequired") for item in needs)
        parts.append(_dependent(schemas, place, "dependentRequired", name, need))
    return schemas.nodes.all(parts)


def _dependent_schemas(schemas: Schemas, place: Place, schema: Object) -> Literal:
    parts = []
    for name in keywords.mapping(schemas.where(place), schema, "dependentSchemas"):
        need = schemas.child(place, "dependentSchemas", name)
        parts.append(_dependent(schemas, place, "dependentSchemas", name, need))
    return schemas.nodes.all(parts)


def _dependencies(schemas: Schemas, place: Place, schema: Object) -> Literal:
    where, parts = schemas.where(place), []
    for name, value in keywords.mapping(where, schema, "dependencies").items():
        if isinstance(value, dict | bool):
            need = schemas.child(place, "dependencies", name)
        else:
            # Draft 3 wrote one name as a string.
            needs: Json = [value] if isinstance(value, str) else value
            listed = keywords.names(f"{where}/dependencies", {name: needs}, name)
            need = schemas.nodes.all(schemas.note(Required(item), place, "dependencies") for item in listed)
        parts.append(_dependent(schemas, place, "dependencies", name, need))
    return schemas.nodes.all(parts)


def _combine(keyword: str) -> Reader:
    def read(schemas: Schemas, place: Place, schema: Object) -> Literal:
        parts = [schemas.at(branch) for branch in schemas.branches(place, schema, keyword)]
        nodes = schemas.nodes
        result = {"allOf": nodes.all, "anyOf": nodes.any, "oneOf": nodes.one}[keyword](parts)
        schemas.origins.setdefault(nodes.node(result), (f"{schemas.where(place)}/{keyword}", keyword))
        return result

    return read


def _not(schemas: Schemas, place: Place, schema: Object) -> Literal:
    return negate(schemas.child(place, "not"))


def _if(schemas: Schemas, place: Place, schema: Object) -> Literal:
    nodes, condition = schemas.nodes, schemas.child(place, "if")
    then = schemas.child(place, "then") if "then" in schema else TRUE
    otherwise = schemas.child(place, "else") if "else" in schema else TRUE
    if then == otherwise == TRUE:
        return TRUE
    # Exclusive cases: contradictions between several conditions are then found before they multiply.
    unmet = [negate(condition), otherwise]
    test = schema["if"]
    if schemas.ordered and isinstance(test, dict) and isinstance(test.get("properties"), dict):
        # The names of the condition are declared, and have their place, whether it holds or not.
        names = tuple((name, TRUE) for name in keywords.mapping("", test, "properties"))
        unmet.insert(0, nodes.literal(Members(names, (), TRUE)))
    return nodes.any([nodes.all([condition, then]), nodes.all(unmet)])


def _reference(keyword: str) -> Reader:
    def read(schemas: Schemas, place: Place, schema: Object) -> Literal:
        return schemas.at(schemas.documents.targets(place, keyword))

    return read


_LEAVES = frozenset(
    [
        *("type", "enum", "const", "minLength", "maxLength", "pattern", "format"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    ]
)

# Keyword: first and last draft, and what reads it (a reader of several keywords is called once).
_ARRAY_SIZE, _OBJECT_SIZE = _size("array", "Items"), _size("object", "Properties")
_READERS: dict[str, tuple[int, int, Reader]] = {
    "type": (4, 2020, _types),
    "enum": (4, 2020, _enum),
    "const": (6, 2020, _const),
    "minLength": (4, 2020, _length),
    "maxLength": (4, 2020, _length),
    "pattern": (4, 2020, _pattern),
    "format": (4, 2020, _format),
    "minimum": (4, 2020, _bounds),
    "maximum": (4, 2020, _bounds),
    "exclusiveMinimum": (4, 2020, _bounds),
    "exclusiveMaximum": (4, 2020, _bounds),
    "multipleOf": (4, 2020, _multiple),
    "items": (4, 2020, _items),
    "prefixItems": (2020, 2020, _items),
    "additionalItems": (4, 2019, _items),
    "minItems": (4, 2020, _ARRAY_SIZE),
    "maxItems": (4, 2020, _ARRAY_SIZE),
    "uniqueItems": (4, 2020, _unique),
    "contains": (6, 2020, _contains),
    "properties": (4, 2020, _members),
    "patternProperties": (4, 2020, _members),
    "additionalProperties": (4, 2020, _members),
    "required": (4, 2020, _required),
    "minProperties": (4, 2020, _OBJECT_SIZE),
    "maxProperties": (4, 2020, _OBJECT_SIZE),
    "propertyNames": (6, 2020, _names),
    "dependencies": (4, 7, _dependencies),
    "dependentRequired": (2019, 2020, _dependent_required),
    "dependentSchemas": (2019, 2020, _dependent_schemas),
    "allOf": (4, 2020, _combine("allOf")),
    "anyOf": (4, 2020, _combine("anyOf")),
    "oneOf": (4, 2020, _combine("oneOf")),
    "not": (4, 2020, _not),
    "if": (7, 2020, _if),
    "$ref": (4, 2020, _reference("$ref")),
    "$dynamicRef": (2020, 2020, _reference("$dynamicRef")),
    "$recursiveRef": (2019, 2019, _reference("$recursiveRef")),
}
