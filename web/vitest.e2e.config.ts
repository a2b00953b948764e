import { defineConfig } from "vitest/config";

/** Two files at a time: each has a server, a worker and a browser of its own, and they are hungry. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["e2e/**/*.e2e.ts"],
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 300_000,
    // A machine that builds for many stalls now and then; what fails twice fails.
    retry: process.env.CI === "true" ? 1 : 0,
    reporters: ["verbose"],
  },
});
