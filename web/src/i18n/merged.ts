/** The texts of every owner in one table. */
export function merged(files: Record<string, { default: Record<string, string> }>): Record<string, string> {
  return Object.assign({}, ...Object.values(files).map((file) => file.default));
}
