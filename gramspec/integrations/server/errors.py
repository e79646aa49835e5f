"""Answers to requests that cannot be served, in the shape that OpenAI's clients read.

Law: whatever a client sends, the answer is a 4xx with the place in its input; a 5xx is the server's own
fault. No answer repeats more of the input than the excerpt that an error of gramspec shows.
Source: https://platform.openai.com/docs/guides/error-codes; `gramspec.errors`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gramspec import errors

_MOST_LISTED: Final = 5
_LONGEST_MESSAGE: Final = 2_000
_FIELD: Final = re.compile(r"([a-z][a-z0-9_]*)(?:=|:)")
_INPUT: Final = "invalid_request_error"
_SERVER: Final = "server_error"

# Where gramspec's own names differ from those of requests.
_FIELDS: Final = {"max_new_tokens": "max_tokens"}

_BY_CLASS: Final[tuple[tuple[type[errors.GramspecError], int, str], ...]] = (
    (errors.UnsupportedError, 400, "unsupported_grammar"),
    (errors.EmptyLanguageError, 400, "empty_language"),
    (errors.GrammarError, 400, "invalid_grammar"),
    (errors.VocabularyError, 400, "vocabulary_cannot_spell_grammar"),
    (errors.LimitError, 400, "limit_exceeded"),
    (errors.PromptError, 400, "invalid_prompt"),
    (errors.BudgetTooSmallError, 400, "max_tokens_too_small"),
    (errors.OptionError, 400, "invalid_value"),
    (errors.BudgetExhaustedError, 422, "budget_exhausted"),
    (errors.UndefinedLawError, 422, "undefined_law"),
    (errors.DeadEndError, 422, "dead_end"),
    (errors.DivergenceError, 422, "divergence"),
    (errors.CancelledError, 499, "cancelled"),  # the client has left: for the log alone
)


class ErrorFacts(BaseModel):
    """What an answer says of an error."""

    message: str
    type: str = Field(description="`invalid_request_error`, `server_error`, …")
    param: str | None = Field(
        description="The field of the request, with the place in it:"
        " `response_format.json_schema.schema#/properties/a`, `regex@12`, `grammar:3:14`."
    )
    code: str | None
    details: dict[str, Any] | None = Field(
        default=None,
        description="Pointer, reason and hint of a bad grammar; costs and estimates of a budget.",
    )


class ErrorBody(BaseModel):
    """Body of every answer that is no success."""

    error: ErrorFacts


_MEANINGS: Final[Mapping[int, str]] = {
    400: "The request or its grammar cannot be used; `param` names the place",
    401: "No API key, or a wrong one",
    403: "The server was started without this permission",
    404: "No such model, database or route",
    405: "The route has no such method",
    408: "The request was sent too slowly",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "No text of the grammar was found, or the model gives it no probability",
    429: "The queue is full; `Retry-After` says when to come again",
    500: "A fault of the server",
    503: "The server is starting or stopping, or a database is away",
    504: "The deadline passed",
}

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorBody, "description": meaning} for status, meaning in _MEANINGS.items()
}
"""What `responses=` of a route takes, so that the OpenAPI document knows every answer."""


class ApiError(Exception):
    """A request that is not served.

    Parameters
    ----------
    status : int
        Of the answer.
    message : str
        For people: what is wrong, and what to do.
    type : str, optional
        OpenAI's kind of error; by the status when left out.
    code : str, optional
        For programs.
    param : str, optional
        The field of the request.
    details : mapping, optional
        Further facts for programs.
    headers : mapping, optional
        Of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
        self.type = type if type is not None else _type_of(status)
        self.code = code
        self.param = param
        self.details = dict(details) if details else None
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON of the answer; in a stream, the data of its last event."""
        facts: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        if self.details is not None:
            facts["details"] = self.details
        return {"error": facts}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(_sendable(self.body()), self.status, self.headers)


def api_error(error: Exception, *, param: str | None = None) -> ApiError:
    """The answer to an error.

    Parameters
    ----------
    error : Exception
        What was raised.
    param : str, optional
        The field of the request that it is about; the place inside is added.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, errors.GramspecError):
        return _of_gramspec(error, param)
    if isinstance(error, RequestValidationError):
        return _of_validation(error.errors())
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, RecursionError):
        return ApiError(400, "the request nests too deeply", code="too_deep", param=param)
    return ApiError(500, "the server failed; its log has the request id", code="internal_error")


@contextmanager
def naming(param: str) -> Iterator[None]:
    """Errors of gramspec that are raised inside are about this field of the request.

    Parameters
    ----------
    param : str
        The field, `response_format.json_schema.schema`.
    """
    try:
        yield
    except (errors.GramspecError, RecursionError) as error:
        raise api_error(error, param=param) from error


def install_errors(app: FastAPI) -> None:
    """Give every error of an application its answer.

    Parameters
    ----------
    app : FastAPI
        The application.
    """

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return api_error(error).response()

    for kind in (ApiError, errors.GramspecError, RequestValidationError, HTTPException, RecursionError):
        app.add_exception_handler(kind, answer)


def _type_of(status: int) -> str:
    if status == 401:
        return "authentication_error"
    if status == 403:
        return "permission_error"
    if status == 404:
        return "not_found_error"
    if status == 429:
        return "rate_limit_error"
    return _SERVER if status >= 500 else _INPUT


def _of_gramspec(error: errors.GramspecError, param: str | None) -> ApiError:
    details: dict[str, Any] = {}
    for name in ("pointer", "place", "reason", "hint", "limit"):
        value = getattr(error, name, None)
        if isinstance(value, str) and value:
            details[name] = value
    report = getattr(error, "report", None)
    if report is not None:
        details.update(_costs(report))
    known = next((row for row in _BY_CLASS if isinstance(error, row[0])), None)
    if known is None:
        return ApiError(500, f"{type(error).__name__}: {error}", code="engine_error", details=details)
    _, status, code = known
    if isinstance(error, errors.GrammarError):
        param = _placed(param, error.pointer)
    elif isinstance(error, errors.BudgetTooSmallError):
        param = "max_tokens"
    elif param is None and isinstance(error, errors.OptionError):
        found = _FIELD.match(str(error))
        param = _FIELDS.get(found[1], found[1]) if found else None
    return ApiError(status, str(error), code=code, param=param, details=details)


def _placed(param: str | None, pointer: str) -> str | None:
    if not pointer:
        return param
    if param is None:
        return pointer
    mark = "#" if pointer.startswith("/") else "" if pointer.startswith("@") else ":"
    return f"{param}{mark}{pointer}"


def _costs(report: Any) -> dict[str, Any]:
    names = ("law", "sampler", "attempts", "target_forwards", "log_phi_root", "log_phi_bound")
    return {name: getattr(report, name, None) for name in names}


def _of_validation(found: Sequence[Any]) -> ApiError:
    messages: list[str] = []
    for one in found[:_MOST_LISTED]:
        field = _spelled(one.get("loc", ()))
        said = str(one.get("msg", "cannot be used"))
        if one.get("type") == "extra_forbidden":
            said = _unknown(str(one["loc"][-1]))
        elif one.get("type") == "json_invalid":
            field, said = "", f"the body is no JSON: {said}"
        messages.append(f"{field}: {said}" if field else said)
    if len(found) > _MOST_LISTED:
        messages.append(f"and {len(found) - _MOST_LISTED} more")
    first: dict[str, Any] = found[0] if found else {}
    code = {
        "extra_forbidden": "unknown_field",
        "missing": "missing_field",
        "json_invalid": "invalid_json",
    }.get(str(first.get("type")), "invalid_value")
    param = None if code == "invalid_json" else _spelled(first.get("loc", ())) or None
    return ApiError(400, "; ".join(messages) or "the request cannot be used", code=code, param=param)


def _unknown(field: str) -> str:
    from gramspec.integrations.server.schemas import REPLACED

    instead = REPLACED.get(field)
    return f"there is no such field; write {instead}" if instead else "there is no such field"


def _spelled(location: Sequence[str | int]) -> str:
    """A place in the request as OpenAI spells it: messages[0].content."""
    steps = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step[:100]}" if text else step[:100]
    return text


def _of_http(error: HTTPException) -> ApiError:
    codes = {404: "not_found", 405: "method_not_allowed"}
    messages = {404: "there is no such route", 405: "the route has no such method"}
    status = 400 if error.status_code == 422 else error.status_code
    plain = error.detail in ("Not Found", "Method Not Allowed")
    message = messages[status] if plain and status in messages else str(error.detail)
    return ApiError(status, message, code=codes.get(status), headers=error.headers)


def _sendable(value: Any) -> Any:
    """The same without what JSON cannot say: infinities, and halves of surrogate pairs."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sendable(item) for item in value]
    return value


def queue_full(seconds: float) -> ApiError:
    """The answer when no further request fits into the queue.

    Parameters
    ----------
    seconds : float
        After which it is worth coming again.
    """
    return ApiError(
        429,
        "the queue is full; come again later",
        code="queue_full",
        headers={"retry-after": str(max(1, math.ceil(seconds)))},
    )


def deadline_passed(seconds: float) -> ApiError:
    """The answer when a request was not done in time.

    Parameters
    ----------
    seconds : float
        The time it had.
    """
    return ApiError(
        504,
        f"the request was not done in {seconds:g} s; ask for fewer or shorter texts, or a likelier grammar",
        code="deadline_exceeded",
    )


def not_ready(reason: str) -> ApiError:
    """The answer while the server starts or stops.

    Parameters
    ----------
    reason : str
        Why.
    """
    return ApiError(503, reason, code="not_ready", headers={"retry-after": "1"})
