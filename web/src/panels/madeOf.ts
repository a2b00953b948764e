import type { Body, GraphFile, Json } from "../api/schema";
import type { SpecIndex } from "../graph/specs";

/** A setting worth reading beside a picture. */
export interface MadeOf {
  /** "node.setting", with the instance in front inside of subgraphs. */
  place: string;
  value: string;
  kind: "prompt" | "seed" | "other";
}

/** Prompts, seeds and the settings that a node shows on its face: what made a picture, prompts first. */
export function madeOf(graph: GraphFile, specs: SpecIndex): MadeOf[] {
  const found: MadeOf[] = [];
  const visit = (body: Body, prefix: string, inside: readonly string[]) => {
    for (const [id, node] of Object.entries(body.nodes)) {
      const name = node.type.startsWith("graph:") ? node.type.slice("graph:".length) : null;
      const inner = name === null || inside.includes(name) ? undefined : graph.graphs[name];
      if (inner && name !== null) visit(inner, `${prefix}${id}/`, [...inside, name]);
      const properties = specs.byId.get(node.type)?.schema.properties ?? {};
      for (const [setting, value] of Object.entries(node.settings ?? {})) {
        const hint = properties[setting]?.["x-widget"];
        const kind = hint?.kind === "prompt" || hint?.kind === "seed" ? hint.kind : "other";
        if (kind === "other" && !hint?.primary) continue;
        const text = textOf(value);
        if (text !== "") found.push({ place: `${prefix}${id}.${setting}`, value: text, kind });
      }
    }
  };
  visit(graph, "", []);
  if (graph.run?.seed !== undefined) found.push({ place: "run.seed", value: String(graph.run.seed), kind: "seed" });
  const rank = { prompt: 0, seed: 1, other: 2 };
  return found.sort((a, b) => rank[a.kind] - rank[b.kind]);
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
