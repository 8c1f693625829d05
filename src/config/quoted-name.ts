/**
 * Whether a name stands somewhere in a file in double or single quotes, exactly as it is. It is how others find library sets in a
 * profile without knowing TOML (docs/lifecycle.md).
 */
export function standsQuoted(bytes: Uint8Array, name: string): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return text.includes(`"${name}"`) || text.includes(`'${name}'`);
}
