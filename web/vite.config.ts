import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

type Info = { isEntry: boolean; importers: string[] } | null;
const first = new Set<string>();

/** Whether the first page needs a module: static imports lead to it from the entry. */
function isFirst(id: string, info: (id: string) => Info, seen = new Set<string>()): boolean {
  if (first.has(id)) return true;
  if (seen.has(id)) return false;
  seen.add(id);
  const module = info(id);
  const found = module !== null && (module.isEntry || module.importers.some((one) => isFirst(one, info, seen)));
  if (found) first.add(id);
  return found;
}

/**
 * `vite` on 5173 hands /api to a running `hcpgraph serve`; the page itself is built without inline scripts (CSP). What
 * the first page needs is one file, which compresses better than many small ones; radix-ui, a list of packages, is left
 * to the bundler, which knows which of them are used where.
 */
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: (id, context) =>
                !id.includes("radix-ui") && isFirst(id, (one) => context.getModuleInfo(one)) ? "page" : null,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8188", ws: true } } },
});
