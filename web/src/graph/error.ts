/**
 * An edit that cannot be made. `key` is the key of its text in the language files, `values` its slots; `message` is
 * English for the console.
 */
export class EditError extends Error {
  readonly code: string;
  readonly key: string;
  readonly values: Record<string, string>;

  constructor(code: string, key: string, values: Record<string, string> = {}) {
    super(`${code} ${key} ${JSON.stringify(values)}`);
    this.name = "EditError";
    this.code = code;
    this.key = key;
    this.values = values;
  }
}
