import { describe, expect, it } from "vitest";
import { fittingSpecs } from "./fitting";
import { realSpecs } from "./fixtures/specs";

const specs = realSpecs();

describe("fittingSpecs", () => {
  it("puts ports of the very type before those that take anything", () => {
    const found = fittingSpecs("Noise", "source", specs);
    const ids = found.map(({ spec }) => spec.id);
    expect(ids).toContain("noise.offset");
    expect(ids).toContain("flow.reroute");
    expect(ids.indexOf("noise.offset")).toBeLessThan(ids.indexOf("flow.reroute"));
    expect(found.find(({ spec }) => spec.id === "noise.offset")?.port).toBe("noise");
    expect(ids).not.toContain("text.prompt");
  });

  it("puts what takes a bundle as a whole before what takes a part of it, and that before what takes anything", () => {
    const found = fittingSpecs("Model", "source", specs);
    const place = (id: string) => found.findIndex(({ spec }) => spec.id === id);
    for (const id of ["plugin.lora", "sample.denoise", "model.save", "diffusion.predict"]) {
      expect(found[place(id)]?.port, id).toBe("model");
      expect(place(id), id).toBeLessThan(place("image.decode"));
    }
    expect(found[place("image.decode")]?.port).toBe("vae");
    expect(place("image.decode")).toBeLessThan(place("flow.reroute"));
    expect(fittingSpecs("Denoiser", "source", specs).find(({ spec }) => spec.id === "sample.denoise")?.port).toBe(
      "denoiser",
    );
    expect(fittingSpecs("$M:Handle", "target", specs).find(({ spec }) => spec.id === "model.load")?.port).toBe("model");
  });

  it("finds what gives a type", () => {
    const ids = fittingSpecs("float", "target", specs).map(({ spec }) => spec.id);
    expect(ids).toContain("value.float");
    expect(ids).toContain("value.int");
    expect(ids).not.toContain("value.text");
  });
});
