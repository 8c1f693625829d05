const UTC = new Set(["utc", "etc/utc", "etc/uct", "uct", "zulu", "etc/zulu", "universal", "etc/universal"]);

/** The canonical name of an IANA zone; undefined if there is none. All names of UTC become `UTC`. */
export function readZone(text: string): string | undefined {
  if (UTC.has(text.toLowerCase())) return "UTC";
  // Offsets such as +02:00 are no zones: engines differ in what they mean by them.
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(text)) return undefined;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
