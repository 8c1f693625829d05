import stringWidth from "string-width";
import type { Progress } from "../../../node/src/index.ts";
import { bytesText, durationText, shortCount } from "./units.ts";

/** What a progress bar is drawn on. */
export interface ProgressTarget {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const barWidth = 24;
const eraseLine = "\r\u001b[2K";

/** One line that is drawn over and over on a terminal; anywhere else nothing is drawn. */
export class ProgressBar {
  readonly #target: ProgressTarget;
  readonly #label: string;
  readonly #from: number;
  #drawn = false;

  /** Nothing is drawn in the first `quietMs`: what is over by then needs no bar. */
  constructor(target: ProgressTarget, label: string, quietMs = 0) {
    this.#target = target;
    this.#label = label;
    this.#from = performance.now() + quietMs;
  }

  update(progress: Progress): void {
    if (!this.#target.isTTY || performance.now() < this.#from) return;
    this.#drawn = true;
    this.#target.write(eraseLine + fitted(progressLine(this.#label, progress), (this.#target.columns || 80) - 1));
  }

  /** Removes the line, so that other text can be written. */
  clear(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#target.write(eraseLine);
  }
}

/** `flights  ███████▌      42 %  1.26 M rows  712 k rows/s  31.4 MB/s  2.1 s left  reading`. */
export function progressLine(label: string, progress: Progress): string {
  const { fraction, rows, rowsPerSecond, bytesPerSecond, phase } = progress;
  const parts = [label, gauge(fraction), rows > 0 ? `${shortCount(rows)} rows` : ""];
  if (rowsPerSecond > 0) parts.push(`${shortCount(rowsPerSecond)} rows/s`);
  if (bytesPerSecond > 0) parts.push(`${bytesText(bytesPerSecond)}/s`);
  parts.push(remaining(progress), phase);
  return parts.filter((part) => part !== "").join("  ");
}

function gauge(fraction: number | undefined): string {
  if (fraction === undefined) return "";
  const share = Math.min(1, Math.max(0, fraction));
  const filled = Math.floor(share * barWidth);
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${String(Math.floor(share * 100)).padStart(3)} %`;
}

function remaining({ totalBytes, bytes, bytesPerSecond }: Progress): string {
  const left = totalBytes - bytes;
  return left > 0 && bytesPerSecond > 0 ? `${durationText((left / bytesPerSecond) * 1000)} left` : "";
}

function fitted(text: string, width: number): string {
  let line = text;
  while (line !== "" && stringWidth(line) > width) line = line.slice(0, -1);
  return line;
}
