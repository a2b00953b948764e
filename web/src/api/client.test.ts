import { afterEach, expect, it, vi } from "vitest";
import { api } from "./client";
import { ApiFailure, failureOf, problemsOf } from "./errors";

function answers(reply: Response | Error) {
  const asked: [string, RequestInit | undefined][] = [];
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) => {
    asked.push([url, init]);
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply.clone());
  });
  return asked;
}
afterEach(() => vi.unstubAllGlobals());

it("keeps the folders of a name and encodes everything else", async () => {
  const asked = answers(Response.json({}));
  await api.graph("my folder/a#b?");
  expect(asked[0]?.[0]).toBe("/api/graphs/my%20folder/a%23b%3F");
  expect(api.thumbUrl("out:a b/c&d.png", 64, "7-a")).toBe("/api/thumb?uri=out%3Aa+b%2Fc%26d.png&size=64&v=7-a");
  expect(api.thumbUrl("out:a.png", 64, 1.5)).not.toBe(api.thumbUrl("out:a.png", 64, 1.25));
  expect(api.fileUrl("out:a.png")).toBe("/api/file?uri=out%3Aa.png");
});

it("sends a body as JSON and leaves out what is not given", async () => {
  const asked = answers(Response.json([]));
  await api.moveJob("j 1", null);
  const [url, init] = asked[0] ?? [];
  expect(url).toBe("/api/jobs/j%201/move");
  expect(init?.body).toBe('{"before":null}');
  expect(new Headers(init?.headers).get("content-type")).toBe("application/json");
  await api.jobs({ status: ["queued", "running"] });
  expect(asked[1]?.[0]).toBe("/api/jobs?status=queued%2Crunning");
});

it("throws the problems of an error reply", async () => {
  answers(Response.json({ problems: [{ code: "E_CONFLICT", message: "no", severity: "error" }] }, { status: 409 }));
  const failure = await api.deleteJob("a").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApiFailure);
  expect(failure).toMatchObject({ status: 409, code: "E_CONFLICT", message: "no" });
});

it("has a problem to show for a reply that is no JSON and for no reply", async () => {
  const html = await failureOf(new Response("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" }));
  expect(html.problems).toEqual([{ code: "E_HTTP", message: "502 Bad Gateway", severity: "error" }]);
  answers(new TypeError("connection refused"));
  expect(await api.hello().catch(problemsOf)).toMatchObject([{ code: "E_OFFLINE" }]);
});

it("passes an abort on as it is", async () => {
  answers(new DOMException("stop", "AbortError"));
  await expect(api.hello()).rejects.toMatchObject({ name: "AbortError" });
});
