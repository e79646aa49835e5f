"""The SQL dialects there are, by name.

Law: every name of `catalog.Dialect` has its data.
Source: the modules of the dialects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gramspec.errors import OptionError
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.dialect_mysql import MYSQL
from gramspec.grammar.sql.dialect_postgres import POSTGRES
from gramspec.grammar.sql.dialect_sqlite import SQLITE

_KNOWN: Final[Mapping[str, Dialect]] = {"sqlite": SQLITE, "postgres": POSTGRES, "mysql": MYSQL}


def dialect_of(name: str) -> Dialect:
    """The dialect of a name.

    Raises
    ------
    OptionError
        If there is none; the known ones are listed.
    """
    found = _KNOWN.get(name)
    if found is None:
        raise OptionError(f"dialect={name!r}: the dialects are {', '.join(map(repr, _KNOWN))}")
    return found
