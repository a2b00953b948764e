// The types of src/api/schema.d.ts, from the JSON Schema bundle that `hcpgraph schema` prints, on stdin:
//   python web/tool.py types [--check]
// With --check nothing is written: the exit code says whether the file is what it should be.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const TARGET = fileURLToPath(new URL("src/api/schema.d.ts", import.meta.url));

/** As the generator reads schemas: tuples the old way, limits and forms left out, which types cannot say. */
function readable(schema) {
  if (Array.isArray(schema)) return schema.map(readable);
  if (schema === null || typeof schema !== "object") return schema;
  const plain = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name === "properties" || name === "$defs") {
      plain[name] = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, readable(inner)]));
    } else if (name === "prefixItems") {
      plain.items = value.map(readable);
    } else if (!["propertyNames", "pattern", "minimum", "maximum"].includes(name)) {
      plain[name] = readable(value);
    }
  }
  if (!Array.isArray(plain.items)) {
    delete plain.minItems;
    delete plain.maxItems;
  }
  return plain;
}

async function generate(text) {
  const { $defs, description } = readable(JSON.parse(text));
  const named = Object.keys($defs);
  const root = { title: "Everything", $defs, type: "object", required: named, additionalProperties: false };
  root.properties = Object.fromEntries(named.map((name) => [name, { $ref: `#/$defs/${name}` }]));
  const types = await compile(root, "Everything", {
    additionalProperties: false,
    bannerComment: "",
    declareExternallyReferenced: true,
    unreachableDefinitions: false,
    maxItems: 8,
    style: { printWidth: 120 },
  });
  const hash = createHash("sha256").update(text.trim()).digest("hex");
  const banner = [
    "// Generated from hcpgraph/server/schema/wire.py. Do not edit: change that file, then run: python web/tool.py types",
    `// ${description}`,
    `// bundle ${hash}`,
  ];
  return `${banner.join("\n")}\n${types.replace(/export interface Everything \{[^]*?\n\}\n/, "")}`;
}

const options = process.argv.slice(2);
// not readFileSync(0): a bundle larger than a pipe holds comes in several parts
const fresh = await generate(await text(process.stdin));
if (!options.includes("--check")) {
  writeFileSync(TARGET, fresh);
} else if (readFileSync(TARGET, "utf8") !== fresh) {
  process.stderr.write("src/api/schema.d.ts is not what hcpgraph/server/schema/wire.py says\n");
  process.exit(1);
}
