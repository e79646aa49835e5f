"""The verdict of `jsonschema` on texts, with numbers read exactly.

Law: numbers of integral value are ints (to draft 4 those without fraction and exponent), others decimals.
Source: jsonschema, formats off unless asked for, the draft by ``$schema``.
"""

from __future__ import annotations

import decimal
import json
import re
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import jsonschema
from jsonschema.validators import extend, validator_for

from gramspec.testing.schema_interpreter import Interpreter

_EXACT = decimal.Context(prec=3000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_LARGEST = 1000


def _dependencies(validator: Any, dependencies: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for name, needed in dependencies.items() if isinstance(instance, dict) else ():
        if name in instance and isinstance(needed, list):
            if not all(other in instance for other in needed):
                yield jsonschema.ValidationError(f"{name!r} needs {needed!r}")
        elif name in instance:
            yield from validator.descend(instance, needed, schema_path=name)


# A schema that names no draft is read by 2020-12 and may use `dependencies` as well.
_UNDECLARED = extend(jsonschema.Draft202012Validator, {"dependencies": _dependencies})


class Oracle:
    """One schema, given as JSON text; `formats`: those of every draft are asserted, where the library can."""

    def __init__(self, schema: str, *, formats: bool = False) -> None:
        plain = json.loads(schema)
        kind = validator_for(plain, default=_UNDECLARED)
        # To the library patterns are Python's: \\d, \\w, \\s, \\b know all of Unicode, "$" a last newline.
        patterned = '"pattern' in schema
        classes = patterned and re.search(r"\\\\[dwsbDWSB]|\(\?", schema)
        self.dialect = re.compile(r"[^ -~]|\\[nrtu]" if classes else r"\\[nr]" if patterned else r"(?!)")
        # Documents may mix drafts, and to draft 4 a number with a fraction part is no integer.
        self.readings: list[Callable[[str], Any]] = (
            [integral] if kind is not jsonschema.Draft4Validator else [Decimal]
        )
        if "draft-04" in schema and (schema.count('"$schema"') > 1 or self.readings == [integral]):
            self.readings = [integral, Decimal]
        # What is evaluated already the library reads by rules of its own, and beside `additionalProperties`
        # it overlooks the empty pattern; there the letter is asked as well.
        exact = json.loads(schema, parse_float=integral)
        strays = '"unevaluated' in schema or '"":' in schema.replace(" ", "")
        self.letter = Interpreter(exact) if strays else None
        checker = jsonschema.FormatChecker() if formats else None
        self.validator = kind(exact, format_checker=checker)

    def verdict(self, text: str) -> bool | None:
        """Whether the text is valid; None where the library loops, trips, or strays from the letter."""
        if self.dialect.search(json.dumps(json.loads(text), ensure_ascii=False)):
            return None
        try:
            found = {self._read(json.loads(text, parse_float=reading)) for reading in self.readings}
        except Exception:
            return None
        return found.pop() if len(found) == 1 else None

    def _read(self, value: Any) -> bool | None:
        with warnings.catch_warnings(), decimal.localcontext(_EXACT):
            warnings.simplefilter("ignore")
            found = bool(self.validator.is_valid(value))
            return found if self.letter is None or self.letter.evaluate(value) == found else None


def sound(schema: Any) -> bool:
    """Whether a schema satisfies its metaschema."""
    if not isinstance(schema, dict | bool):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)
    except (jsonschema.SchemaError, RecursionError):
        return False
    return True


def integral(text: str) -> int | Decimal:
    """A number with a fraction or exponent: an int if its value is one, else a decimal."""
    value = Decimal(text)
    small = abs(value.adjusted()) < _LARGEST if value else True
    return int(value) if small and value == value.to_integral_value() else value
