"""An OpenAI-compatible server under test: texts over HTTP, judged by oracles and the server's own logprobs.

Law: nothing is assumed of the server but its answers; what it cannot be asked is said.
Source: https://platform.openai.com/docs/api-reference/chat (response_format, logprobs).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from gramspec.audit.adapters.protocol import Capabilities
from gramspec.errors import GramspecError, OptionError

KEY: Final = "OPENAI_API_KEY"


class ServiceError(GramspecError, RuntimeError):
    """The server did not answer a request with texts.

    Parameters
    ----------
    status : int
        HTTP status; 0: no answer in time, or a broken connection.
    message : str
        What it said.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status or 'no answer'}: {message}")


@dataclass(frozen=True)
class ServedText:
    """One text of an answer.

    Parameters
    ----------
    text : str
    finish : str
        ``stop``, ``length``, … as the server says it.
    tokens : tuple of str or None
        As the logprobs spell them; None without logprobs.
    logprob : float or None
        Sum over the tokens.
    """

    text: str
    finish: str
    tokens: tuple[str, ...] | None = None
    logprob: float | None = None


class OpenAIService:
    """Chat completions of a server.

    Parameters
    ----------
    url : str
        With the version: ``http://127.0.0.1:8000/v1``.
    model : str, optional
        None: the first that ``/models`` names.
    api_key_env : str
        Environment variable that holds the key; without one none is sent.
    seconds : float
        For one request.
    regex_field : str
        Field of the body that takes a regular expression, dots for objects in objects (``regex``,
        ``guided_regex``, ``structured_outputs.regex``); empty: JSON Schemas alone are asked for.

    Raises
    ------
    OptionError
        If there is no server, it refuses the key, or it has no such model.
    """

    def __init__(
        self,
        url: str = "",
        model: str | None = None,
        *,
        api_key_env: str = KEY,
        seconds: float = 60.0,
        regex_field: str = "",
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise OptionError(
                f"url={url!r}: the address of a server is needed, as in http://127.0.0.1:8000/v1"
            )
        if not seconds > 0:
            raise OptionError(f"seconds={seconds!r}: a positive number is needed")
        key = os.environ.get(api_key_env, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/")
        self._client = httpx.Client(headers=headers, timeout=seconds)
        self._key = f"the key in {api_key_env}" if key else f"no key ({api_key_env} is not set)"
        known = self._models()
        if model is not None and known and model not in known:
            raise OptionError(f"{self.url}: no model {model!r}; it has {', '.join(known[:20])}")
        if model is None and not known:
            raise OptionError(f"{self.url}/models names no model: give one")
        self.model = known[0] if model is None else model
        self._regex = tuple(filter(None, regex_field.split(".")))
        self.name = "openai"
        self.version = self.model
        self.settings: Mapping[str, str] = {"url": self.url, "model": self.model, "regex_field": regex_field}
        kinds = {"json_schema", "regex"} if self._regex else {"json_schema"}
        self.capabilities = Capabilities(frozenset(kinds), masks=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def complete(
        self,
        prompt: str,
        kind: str,
        grammar: Any,
        *,
        n: int = 1,
        max_tokens: int = 256,
        temperature: float = 1.0,
        logprobs: bool = False,
    ) -> list[ServedText]:
        """Texts of one request.

        Parameters
        ----------
        prompt : str
            The user's message.
        kind : str
            ``json_schema`` or ``regex``.
        grammar : object
            The schema as JSON data, or the expression.
        n, max_tokens, temperature, logprobs
            As in the API.

        Raises
        ------
        ServiceError
            If there is no answer with texts.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "n": n,
            "max_tokens": max_tokens,
            "temperature": temperature,
        }
        if logprobs:
            body["logprobs"] = True
        if kind == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": grammar},
            }
        else:
            _put(body, self._regex, grammar)
        answer = self._ask("POST", "/chat/completions", json=body)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or len(choices) != n:
            raise ServiceError(200, f"{n} choices were asked for, the answer holds {_short(answer)}")
        try:
            return [_text(choice) for choice in choices]
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(200, f"no chat completion: {error!r} in {_short(answer)}") from None

    def _models(self) -> list[str]:
        try:
            answer = self._ask("GET", "/models")
        except ServiceError as error:
            if error.status in (401, 403):
                raise OptionError(f"{self.url}: refused with {self._key}: {error.message}") from None
            if error.status:
                return []  # a server may have no list of models
            raise OptionError(
                f"{self.url}: no server answers ({error.message})\n"
                "  hint: is it running, and does the address end in /v1?"
            ) from None
        data = answer.get("data") if isinstance(answer, dict) else None
        rows = data if isinstance(data, list) else []
        return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._client.request(method, self.url + path, **options)
        except httpx.TimeoutException:
            raise ServiceError(0, "time-out") from None
        except httpx.HTTPError as error:
            raise ServiceError(0, f"{type(error).__name__}: {error}") from None
        if response.status_code != 200:
            raise ServiceError(response.status_code, _message(response))
        try:
            return response.json()
        except ValueError:
            raise ServiceError(200, f"no JSON: {response.text[:200]!r}") from None


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def _text(choice: Mapping[str, Any]) -> ServedText:
    rows = (choice.get("logprobs") or {}).get("content")
    tokens = logprob = None
    if rows:
        tokens = tuple(str(row["token"]) for row in rows)
        logprob = float(sum(float(row["logprob"]) for row in rows))
    return ServedText(str(choice["message"]["content"] or ""), str(choice["finish_reason"]), tokens, logprob)


def _message(response: httpx.Response) -> str:
    try:
        said = response.json()
        said = said.get("error", said)
        return str(said.get("message", said))[:300]
    except (ValueError, AttributeError):
        return response.text[:300]


def _short(answer: Any) -> str:
    return repr(answer)[:200]
