import { ApiFailure, failureOf, offline } from "./errors";
import type {
  Capabilities,
  Check,
  DataReport,
  DataReportLine,
  FileEntry,
  GraphEntry,
  GraphFile,
  Hello,
  Imported,
  Job,
  JobStatus,
  Json,
  LayersReply,
  Opened,
  PlanReply,
  RunEvent,
  Series,
  Snapshot,
  Specs,
  Stamps,
  TemplateEntry,
  Uploaded,
  WorkerState,
} from "./schema";

export interface Options {
  signal?: AbortSignal;
}
export interface JobRequest {
  graph: GraphFile;
  targets?: string[];
  force?: string[];
  /** Roots below which this run may write besides the usual ones. */
  allow_write?: string[];
  title?: string;
  front?: boolean;
  /** Training goes on from checkpoints that were made with other code or versions. */
  resume?: boolean;
}
export interface DataReportRequest {
  graph: GraphFile;
  lang: string;
  /** Names the graph: the next report of the same name ends this one. */
  of: string;
}
export type ThumbSize = 64 | 128 | 256 | 512;
/** What changes with the content of a file: its time in seconds, or what the server says. */
export type Stamp = number | string | undefined;
export type RunRequest = "sample" | "save" | "stop";

async function send(method: string, path: string, init: RequestInit, options?: Options): Promise<Response> {
  let reply: Response;
  try {
    reply = await fetch(path, { method, credentials: "same-origin", ...init, signal: options?.signal ?? null });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw offline(error);
  }
  if (!reply.ok) throw await failureOf(reply);
  return reply;
}

async function json<T>(reply: Response): Promise<T> {
  try {
    return (await reply.json()) as T;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiFailure(reply.status, [{ code: "E_HTTP", message: "the reply is not JSON", severity: "error" }]);
  }
}

/** Every line of a reply as it comes. */
async function* jsonLines<T>(reply: Response): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  const reader = reply.body?.getReader();
  let rest = "";
  for (;;) {
    const part = await reader?.read();
    rest += part?.value ? decoder.decode(part.value, { stream: true }) : "";
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
    if (!part || part.done) return;
  }
}

async function get<T>(path: string, options?: Options): Promise<T> {
  return json<T>(await send("GET", path, {}, options));
}

async function call<T>(method: string, path: string, body: unknown, options?: Options): Promise<T> {
  const init = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return json<T>(await send(method, path, init, options));
}

/** "?a=1&b=2" of the entries that are set. */
function query(entries: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(entries)) if (value !== undefined) params.set(name, String(value));
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

function stamped(stamp: Stamp): string | undefined {
  return typeof stamp === "number" ? stamp.toString(36) : stamp;
}

/** Names of graphs and templates may have folders: each part is encoded, the slashes stay. */
function named(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

function job(id: string): string {
  return `/api/jobs/${encodeURIComponent(id)}`;
}

/** One function a route; all throw `ApiFailure` (or the browser's AbortError when `signal` fires). */
export const api = {
  hello: (options?: Options) => get<Hello>("/api/hello", options),
  specs: (lang: string, options?: Options) => get<Specs>(`/api/specs${query({ lang })}`, options),

  check: (graph: GraphFile, options?: Options) => call<Check>("POST", "/api/check", { graph }, options),
  format: (graph: GraphFile, options?: Options) => call<Opened>("POST", "/api/format", { graph }, options),
  plan: (graph: GraphFile, targets?: string[], options?: Options) =>
    call<PlanReply>("POST", "/api/plan", { graph, targets }, options),
  capabilities: (graph: GraphFile, options?: Options) =>
    call<Capabilities>("POST", "/api/capabilities", { graph }, options),
  /** What a training would see. Takes a while: `tell` hears how far it is; `signal` ends it. */
  dataReport: async (
    request: DataReportRequest,
    tell: (line: DataReportLine) => void,
    options?: Options,
  ): Promise<DataReport> => {
    const init = { headers: { "content-type": "application/json" }, body: JSON.stringify(request) };
    const reply = await send("POST", "/api/data-report", init, options);
    try {
      for await (const line of jsonLines<DataReportLine>(reply)) {
        if (line.report) return line.report;
        if (line.problems) throw new ApiFailure(reply.status, line.problems);
        tell(line);
      }
    } catch (error) {
      if (error instanceof ApiFailure || (error instanceof DOMException && error.name === "AbortError")) throw error;
      throw offline(error);
    }
    throw offline("the report ended early");
  },
  layers: (graph: GraphFile, node: string, setting: string, patterns: string[], options?: Options) =>
    call<LayersReply>("POST", "/api/layers", { graph, node, setting, patterns }, options),
  /** A graph from a JSON file, a PNG, or the head of a safetensors file. */
  import: async (content: Blob | Uint8Array<ArrayBuffer> | string, options?: Options): Promise<Imported> => {
    const init = { headers: { "content-type": "application/octet-stream" }, body: content };
    return json<Imported>(await send("POST", "/api/import", init, options));
  },

  templates: (options?: Options) => get<TemplateEntry[]>("/api/templates", options),
  template: (name: string, options?: Options) => get<Opened>(`/api/templates/${named(name)}`, options),
  graphs: (options?: Options) => get<GraphEntry[]>("/api/graphs", options),
  graph: (name: string, options?: Options) => get<Opened>(`/api/graphs/${named(name)}`, options),
  /** `etag` null: the name must be free. Throws 409 E_CONFLICT where another content is there. */
  saveGraph: (name: string, graph: GraphFile, etag: string | null, options?: Options) =>
    call<Opened>("PUT", `/api/graphs/${named(name)}`, { graph, etag }, options),
  deleteGraph: async (name: string, etag: string, options?: Options): Promise<void> => {
    await send("DELETE", `/api/graphs/${named(name)}${query({ etag })}`, {}, options);
  },
  moveGraph: (from: string, to: string, etag: string, options?: Options) =>
    call<Opened>("POST", "/api/graph-move", { from, to, etag }, options),

  files: (uri: string, options?: Options) => get<FileEntry[]>(`/api/files${query({ uri })}`, options),
  fileGraph: (uri: string, options?: Options) => get<Imported>(`/api/file-graph${query({ uri })}`, options),
  fileText: async (uri: string, options?: Options): Promise<string> =>
    (await send("GET", api.fileUrl(uri), {}, options)).text(),
  deleteFile: async (uri: string, options?: Options): Promise<void> => {
    await send("DELETE", `/api/file${query({ uri })}`, {}, options);
  },
  fileUrl: (uri: string, download = false) => `/api/file${query({ uri, download: download ? 1 : undefined })}`,
  /** A picture as it is now: `stamp` is what says that it was written anew. */
  shownUrl: (uri: string, stamp: Stamp) => `/api/file${query({ uri, v: stamped(stamp) })}`,
  /** What changes with the content of each file; null for what is not there. */
  stamps: async (uris: readonly string[], options?: Options) =>
    (await call<Stamps>("POST", "/api/stamps", { uris }, options)).stamps,
  thumbUrl: (uri: string, size: ThumbSize, stamp: Stamp) => `/api/thumb${query({ uri, size, v: stamped(stamp) })}`,

  /** Queue a run. */
  run: (request: JobRequest, options?: Options) => call<Job>("POST", "/api/jobs", request, options),
  jobs: (filter: { status?: JobStatus[]; limit?: number; before?: number } = {}, options?: Options) =>
    get<Job[]>(
      `/api/jobs${query({ status: filter.status?.join(","), limit: filter.limit, before: filter.before })}`,
      options,
    ),
  snapshot: (id: string, options?: Options) => get<Snapshot>(job(id), options),
  jobGraph: (id: string, options?: Options) => get<Opened>(`${job(id)}/graph`, options),
  events: (id: string, since: number, options?: Options) =>
    get<RunEvent[]>(`${job(id)}/events${query({ since })}`, options),
  series: (id: string, options?: Options) => get<Series>(`${job(id)}/series`, options),
  /** The last picture of a node's value. */
  pictureUrl: (id: string, node: string, stamp: string) => `${job(id)}/picture${query({ node, v: stamp })}`,
  seriesCsvUrl: (id: string) => `${job(id)}/series.csv`,
  record: (id: string, options?: Options) => get<Record<string, Json>>(`${job(id)}/record`, options),
  cancel: (id: string, options?: Options) => call<Job>("POST", `${job(id)}/cancel`, {}, options),
  /** Put a queued job before another queued one, or last (`null`); the reply is the queue. */
  moveJob: (id: string, before: string | null, options?: Options) =>
    call<Job[]>("POST", `${job(id)}/move`, { before }, options),
  deleteJob: async (id: string, options?: Options): Promise<void> => {
    await send("DELETE", job(id), {}, options);
  },
  request: async (id: string, what: RunRequest, options?: Options): Promise<void> => {
    await call<Record<string, never>>("POST", `${job(id)}/request`, { do: what }, options);
  },
  restartWorker: (options?: Options) => call<WorkerState>("POST", "/api/worker/restart", {}, options),

  /**
   * Files into `data:uploads/` or `models:uploads/`; a folder keeps the relative paths of its files. XMLHttpRequest
   * because fetch reports no upload progress.
   */
  upload: (
    root: "data" | "models",
    files: readonly File[],
    options: Options & { folder?: string; onProgress?: (sent: number, total: number) => void } = {},
  ): Promise<Uploaded> =>
    new Promise((resolve, reject) => {
      const form = new FormData();
      form.append("root", root);
      if (options.folder !== undefined) form.append("folder", options.folder);
      for (const file of files) form.append("file", file, pathOf(file, options.folder));
      const request = new XMLHttpRequest();
      request.open("POST", "/api/upload");
      request.upload.onprogress = (event) => options.onProgress?.(event.loaded, event.total);
      request.onerror = () => reject(offline(new Error("the upload was interrupted")));
      request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
      request.onload = () => {
        const { status } = request;
        const reply = new Response(request.responseText, { status: status >= 200 ? status : 500 });
        (reply.ok ? json<Uploaded>(reply) : failureOf(reply).then((failure) => Promise.reject(failure))).then(
          resolve,
          reject,
        );
      };
      options.signal?.addEventListener("abort", () => request.abort(), { once: true });
      if (options.signal?.aborted) reject(new DOMException("The upload was cancelled.", "AbortError"));
      else request.send(form);
    }),
};

/** "sub/a.png" of a file picked with its folder; the name of the folder itself goes into the field `folder`. */
function pathOf(file: File, folder: string | undefined): string {
  const path = file.webkitRelativePath;
  if (folder === undefined || path === "") return file.name;
  return path.slice(path.indexOf("/") + 1);
}
