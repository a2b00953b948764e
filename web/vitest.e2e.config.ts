import { defineConfig } from "vitest/config";

/** One file at a time: each has a server, a worker and a browser of its own, and they are hungry. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["e2e/**/*.e2e.ts"],
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
    reporters: ["verbose"],
  },
});
