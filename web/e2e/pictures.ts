import { createHash } from "node:crypto";
import type { Page } from "playwright-core";

/** Size and pixels of a picture as one word; what else its file holds (times, graphs) plays no part. */
export async function pixels(page: Page, file: Buffer): Promise<string> {
  const raw = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    if (!context) throw new Error("no canvas");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    return { size: [bitmap.width, bitmap.height], data: Array.from(data) };
  }, file.toString("base64"));
  return `${raw.size.join("x")} ${createHash("sha256").update(Uint8Array.from(raw.data)).digest("hex")}`;
}

/** A small picture without any graph inside, made by the browser. */
export async function plainPng(page: Page, colour: string, side = 64): Promise<Buffer> {
  const base64 = await page.evaluate(
    async ([fill, size]) => {
      const canvas = new OffscreenCanvas(Number(size), Number(size));
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = String(fill);
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.fillStyle = "white";
      context.fillRect(canvas.width / 4, canvas.height / 4, canvas.width / 3, canvas.height / 3);
      const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    },
    [colour, side] as const,
  );
  return Buffer.from(base64, "base64");
}
