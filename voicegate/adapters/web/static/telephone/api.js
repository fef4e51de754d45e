// The native API, by key.

const REFUSED = "The daemon does not answer.";

export class Api {
  #key;

  constructor(key) {
    this.#key = key;
  }

  get(path) {
    return this.#ask("GET", path);
  }

  post(path, body) {
    return this.#ask("POST", path, body);
  }

  /** `{ok, body}`, or `{ok: false, problem}` with a sentence (RFC 9457). */
  async #ask(method, path, body) {
    const headers = { Authorization: `Bearer ${this.#key}` };
    if (body) headers["Content-Type"] = "application/json";
    try {
      const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const told = await answer.json();
      return answer.ok ? { ok: true, body: told } : { ok: false, problem: told.detail || told.title };
    } catch {
      return { ok: false, problem: REFUSED };
    }
  }
}
