import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Check, GraphFile, Hello, Job, Series, Snapshot, Specs } from "../src/api/schema";

export const CHECKOUT = resolve(import.meta.dirname, "../..");
/** The interpreter that runs web/tool.py, else that of the checkout. */
const PYTHON = process.env.HCPGRAPH_PYTHON ?? join(CHECKOUT, ".venv/bin/python");
/** How long something may take that the machine does at its own speed: nothing is measured here. */
export const PATIENCE = 600_000;
/** No network, and one thread for torch: what runs side by side does not fight for cores. */
const QUIET = { HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };

/** `hcpgraph serve` with a new workspace and its real worker. */
export class Server {
  readonly workspace: string;
  readonly url: string;
  private readonly process: ChildProcess;
  private said = "";

  private constructor(workspace: string, child: ChildProcess, url: string) {
    this.workspace = workspace;
    this.process = child;
    this.url = url;
  }

  static async start(): Promise<Server> {
    const workspace = await mkdtemp(join(tmpdir(), "hcpgraph-e2e-"));
    const child = spawn(
      PYTHON,
      ["-m", "hcpgraph.cli", "serve", "--workspace", workspace, "--port", "0", "--no-browser"],
      { cwd: CHECKOUT, env: { ...process.env, ...QUIET }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
      if (server) server.said += text;
    });
    let server: Server | null = null;
    const url = await new Promise<string>((found, lost) => {
      let out = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const line = /^http:\S+/m.exec(out);
        if (line) found(line[0]);
      });
      child.once("exit", (code) => lost(new Error(`hcpgraph serve ended with ${code}\n${errors}`)));
    });
    server = new Server(workspace, child, url);
    server.said = errors;
    return server;
  }

  /** Ends it as Ctrl-C does; a server that ends badly or that raised something is a failure of the file. */
  async stop(): Promise<void> {
    const ended =
      this.process.exitCode === null ? once(this.process, "exit") : Promise.resolve([this.process.exitCode]);
    this.process.kill("SIGTERM");
    const [code] = (await ended) as [number | null];
    await rm(this.workspace, { recursive: true, force: true });
    if (code !== 0 || this.said.includes("Traceback")) {
      throw new Error(`hcpgraph serve ended with ${code} and said:\n${this.said}`);
    }
  }

  async get<T>(path: string): Promise<T> {
    return this.ask<T>(path, { method: "GET" });
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const headers = { "content-type": "application/json" };
    return this.ask<T>(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  private async ask<T>(path: string, init: RequestInit): Promise<T> {
    const { origin, searchParams } = new URL(this.url);
    const headers = { ...init.headers, authorization: `Bearer ${searchParams.get("token")}` };
    const reply = await fetch(origin + path, { ...init, headers });
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as T;
  }

  hello = (): Promise<Hello> => this.get("/api/hello");
  specs = (lang: string): Promise<Specs> => this.get(`/api/specs?lang=${lang}`);
  check = (graph: GraphFile): Promise<Check> => this.post("/api/check", { graph });
  jobs = (): Promise<Job[]> => this.get("/api/jobs?limit=50");
  snapshot = (id: string): Promise<Snapshot> => this.get(`/api/jobs/${id}`);
  series = (id: string): Promise<Series> => this.get(`/api/jobs/${id}/series`);

  /** A run once it is over. */
  async ended(id: string): Promise<Job> {
    return until(`the end of ${id}`, async () => {
      const { job } = await this.snapshot(id);
      return job.status === "queued" || job.status === "running" ? null : job;
    });
  }

  /** A running job once its training has come to a step. */
  async atStep(id: string, step: number): Promise<void> {
    await until(`step ${step} of ${id}`, async () => {
      const { job, nodes } = await this.snapshot(id);
      if (job.status !== "queued" && job.status !== "running")
        throw new Error(`${id} is over: ${JSON.stringify({ job, nodes })}`);
      return Object.values(nodes).some((node) => node.state === "running" && (node.value ?? 0) >= step) || null;
    });
  }

  path(uri: string): string {
    const at = uri.indexOf(":");
    return join(this.workspace, uri.slice(0, at), uri.slice(at + 1));
  }

  /** Put a graph among the saved ones. */
  async put(name: string, graph: GraphFile): Promise<void> {
    const file = join(this.workspace, "graphs", `${name}.json`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(graph, null, 2));
  }

  async saved(name: string): Promise<GraphFile> {
    return JSON.parse(await readFile(join(this.workspace, "graphs", `${name}.json`), "utf8")) as GraphFile;
  }
}

/** What `look` gives once it gives something. */
export async function until<T>(what: string, look: () => Promise<T | null>, patience = PATIENCE): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(100);
  }
}

/** `hcpgraph ARGUMENTS`, to its end; gives what it wrote on stdout. */
export async function cli(...command: string[]): Promise<string> {
  const child = spawn(PYTHON, ["-m", "hcpgraph.cli", ...command], {
    cwd: CHECKOUT,
    env: { ...process.env, ...QUIET },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`hcpgraph ${command.join(" ")} ended with ${code}\n${errors}`);
  return out;
}
