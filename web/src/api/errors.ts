import type { Problem } from "./schema";

/** A reply other than 2xx, or no reply at all (`status` 0): what the server says about it, never an empty list. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly problems: Problem[];

  constructor(status: number, problems: Problem[]) {
    super(problems[0]?.message ?? `HTTP ${status}`);
    this.name = "ApiFailure";
    this.status = status;
    this.problems = problems;
  }

  /** Code of the first problem: "E_CONFLICT", "E_TOKEN", … */
  get code(): string {
    return this.problems[0]?.code ?? "E_HTTP";
  }
}

/** No connection, or the browser gave up: the server may be stopped. */
export function offline(cause: unknown): ApiFailure {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ApiFailure(0, [{ code: "E_OFFLINE", message, severity: "error" }]);
}

/** Problems of an error reply, whatever is in it: a proxy or a crash may answer with HTML. */
export async function failureOf(reply: Response): Promise<ApiFailure> {
  const text = await reply.text().catch(() => "");
  try {
    const body: unknown = JSON.parse(text);
    if (isApiError(body) && body.problems.length > 0) return new ApiFailure(reply.status, body.problems);
  } catch {
    // Not JSON: reported below with its status.
  }
  const message = `${reply.status} ${reply.statusText}`.trim();
  return new ApiFailure(reply.status, [{ code: "E_HTTP", message, severity: "error" }]);
}

/** Problems to show for anything that was thrown. */
export function problemsOf(error: unknown): Problem[] {
  if (error instanceof ApiFailure) return error.problems;
  return [{ code: "E_EDITOR", message: error instanceof Error ? error.message : String(error), severity: "error" }];
}

function isApiError(body: unknown): body is { problems: Problem[] } {
  return typeof body === "object" && body !== null && Array.isArray((body as { problems?: unknown }).problems);
}
