import { api } from "../api/client";

/** Which pictures a model is made for: their usual side, and what width and height must be multiples of. */
export interface ModelShape {
  size: number;
  multiple: number;
}

/** Stable Diffusion 1.x, and what is taken for a single file, whose size stands nowhere. */
export const USUAL: ModelShape = { size: 512, multiple: 64 };
const SMALLEST = 16;
const LARGEST = 2048;

/** From the configs of a diffusers folder: the VAE halves once less than it has blocks, and so does the UNet. */
export function shapeFrom(unet: unknown, vae: unknown): ModelShape {
  const side = numberIn(unet, "sample_size");
  const halvings = blocksIn(vae);
  const depth = blocksIn(unet);
  if (side === null || halvings === null || depth === null) return USUAL;
  const size = side * 2 ** (halvings - 1);
  const multiple = 2 ** (halvings - 1 + depth - 1);
  const sound = Number.isInteger(size) && size >= SMALLEST && size <= LARGEST && multiple <= size;
  return sound ? { size, multiple } : USUAL;
}

function numberIn(config: unknown, name: string): number | null {
  const value = typeof config === "object" && config !== null ? (config as Record<string, unknown>)[name] : null;
  return typeof value === "number" ? value : null;
}

function blocksIn(config: unknown): number | null {
  if (typeof config !== "object" || config === null) return null;
  const channels = (config as Record<string, unknown>).block_out_channels;
  return Array.isArray(channels) && channels.length > 0 ? channels.length : null;
}

/** What the files of a model say. A model that says nothing, or is not there, is taken for a usual one. */
export async function modelShape(uri: string): Promise<ModelShape> {
  if (/\.(safetensors|gguf)$/i.test(uri) || !/^[a-z]+:./.test(uri) || uri.startsWith("hub:")) return USUAL;
  const folder = uri.replace(/\/+$/, "");
  const read = async (part: string): Promise<unknown> =>
    JSON.parse(await api.fileText(`${folder}/${part}/config.json`)) as unknown;
  try {
    const [unet, vae] = await Promise.all([read("unet"), read("vae")]);
    return shapeFrom(unet, vae);
  } catch {
    return USUAL;
  }
}
