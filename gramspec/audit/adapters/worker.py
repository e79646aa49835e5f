"""The process of a guarded engine: makes the adapter, then answers calls that come through a pipe.

Law: whatever an engine raises goes back as an `EngineFault`; memory is limited, and an alarm ends the process
even within native code, should nobody wait for it any more.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from gramspec.audit.adapters.guard import Call, Order, Ready
from gramspec.audit.adapters.protocol import EngineFault, Refused, Stage
from gramspec.errors import GramspecError


def resolve(name: str) -> Any:
    """What ``module:attribute`` names."""
    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)


class Worker:
    """The engine, its vocabularies, and what was made on it.

    Parameters
    ----------
    engine : Adapter
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._vocabularies: dict[str, Any] = {}
        self._made: dict[int, Any] = {}
        self._numbers = itertools.count()

    def answer(self, call: Call) -> Any:
        """The answer to one call, or the fault."""
        method = getattr(self, f"_do_{call.what}")
        try:
            return method(*call.arguments)
        except GramspecError as error:
            return error
        except MemoryError:
            return EngineFault("memory", _stage(call.what), "MemoryError")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # panics of native libraries are no `Exception`
            said = str(error).splitlines()
            return EngineFault(
                "error", _stage(call.what), f"{type(error).__name__}: {said[0] if said else ''}"
            )

    def forget(self, handle: int) -> None:
        """Drop what was made."""
        self._made.pop(handle, None)

    def _keep(self, thing: Any) -> int:
        number = next(self._numbers)
        self._made[number] = thing
        return number

    def _do_vocabulary(self, key: str, vocabulary: Any) -> None:
        self._vocabularies[key] = vocabulary

    def _do_snippet(self, kind: str, grammar: str, text: str | None) -> str:
        return str(self._engine.snippet(kind, grammar, text))

    def _do_compile(self, kind: str, text: str, key: str, options: dict[str, Any]) -> int | Refused:
        vocabulary = self._vocabularies[key]
        compiled = self._engine.compile(kind, text, vocabulary, options)
        return compiled if isinstance(compiled, Refused) else self._keep((compiled, vocabulary))

    def _do_call(self, handle: int, function: str, arguments: dict[str, Any]) -> Any:
        compiled, vocabulary = self._made[handle]
        return resolve(function)(compiled, vocabulary, **arguments)

    def _do_matcher(self, handle: int) -> int:
        return self._keep(self._made[handle][0].matcher())

    def _do_mask(self, handle: int) -> tuple[Any, int]:
        mask = self._made[handle].mask()
        return np.packbits(mask), len(mask)

    def _do_advance(self, handle: int, token: int) -> bool:
        return bool(self._made[handle].advance(token))

    def _do_accepting(self, handle: int) -> bool:
        return bool(self._made[handle].is_accepting)

    def _do_rollback(self, handle: int, tokens: int) -> None:
        self._made[handle].rollback(tokens)

    def _do_fork(self, handle: int) -> int:
        return self._keep(self._made[handle].fork())


def _stage(what: str) -> Stage:
    stages: dict[str, Stage] = {
        "compile": "compile",
        "call": "read",
        "matcher": "matcher",
        "mask": "mask",
        "advance": "advance",
        "accepting": "accepting",
        "rollback": "rollback",
        "fork": "fork",
    }
    return stages.get(what, "start")


def _limit_memory(amount: int) -> None:
    """No more than so many bytes of data; nothing where the system has no such limit."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (amount, amount))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _alarm(seconds: int) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def main() -> None:
    """Answer calls until the pipe closes."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    order: Order = connection.recv()
    _limit_memory(order.memory)
    try:
        engine = resolve(order.factory)(**order.settings)
    except GramspecError as error:
        connection.send(error)
        return
    except Exception as error:
        connection.send(EngineFault("error", "start", f"{type(error).__name__}: {error}"))
        return
    worker = Worker(engine)
    connection.send(Ready(engine.name, engine.version, dict(engine.settings), engine.capabilities))
    while True:
        try:
            call = connection.recv()
        except (EOFError, OSError):
            return
        if isinstance(call, int):
            worker.forget(call)
            continue
        _alarm(call.alarm)
        answer = worker.answer(call)
        _alarm(0)
        connection.send(answer)


if __name__ == "__main__":
    main()
