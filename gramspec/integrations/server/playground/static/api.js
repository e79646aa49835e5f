// The server's answers: JSON, errors in the server's shape, and lines of JSON as they come.

const KEY = "gramspec-key";

export class ServerError extends Error {
  constructor(status, error) {
    super(error.message || `the server answered ${status}`);
    this.status = status;
    this.code = error.code ?? null;
    this.details = error.details ?? {};
  }
}

export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

async function ask(path, body, signal) {
  const headers = { accept: "application/json, application/x-ndjson" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, { message: "the server cannot be reached" });
  }
  if (!answer.ok) {
    let error = {};
    try {
      error = (await answer.json()).error ?? {};
    } catch {
      error = { message: `the server answered ${answer.status} without a reason` };
    }
    throw new ServerError(answer.status, error);
  }
  return answer;
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function post(path, body, signal) {
  return (await ask(path, body, signal)).json();
}

// Calls `show` with each line of an answer in lines of JSON.
export async function stream(path, body, signal, show) {
  const answer = await ask(path, body, signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.event === "error") throw new ServerError(0, event.error);
      show(event);
    }
    if (done) return;
  }
}
