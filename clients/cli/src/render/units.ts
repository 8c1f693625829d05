/** `3,000,000`. */
export function countText(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `1 row`, `3,000 rows`. */
export function plural(value: number, noun: string): string {
  return `${countText(value)} ${value === 1 ? noun : `${noun}s`}`;
}

const sizes = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units with three digits: `62.1 MB`. */
export function bytesText(bytes: number): string {
  return scaled(bytes, sizes);
}

/** A count with three digits: `712 k`. */
export function shortCount(value: number): string {
  return scaled(value, ["", "k", "M", "G", "T"]).trim();
}

function scaled(value: number, units: readonly string[]): string {
  let index = 0;
  let rest = value;
  // 999.5 would be shown as 1000.
  while (rest >= 999.5 && index < units.length - 1) {
    rest /= 1000;
    index++;
  }
  const digits = index === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[index]}`;
}

/** `840 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Local time without a zone, to the second; `-` where there is none. */
export function timeText(date: Date | undefined): string {
  if (date === undefined) return "-";
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
