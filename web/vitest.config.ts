import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    pool: "threads",
    maxWorkers: 2,
    testTimeout: 60_000, // the first that asks for the real nodes waits until Python has read them
  },
});
