const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const full = "█";
const rightHalf = "▐";

/**
 * A bar for each value, `width` cells wide at most. With values on both sides of zero the bars grow from a common axis.
 * Values that are no finite numbers have none.
 */
export function bars(values: readonly (number | undefined)[], width: number): readonly string[] {
  const finite = values.filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  const largest = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return values.map(() => "");
  // Shares of the largest, since the sum of two very large numbers is infinite.
  const shares = finite.map((value) => value / largest);
  const greatest = shares.reduce((a, b) => Math.max(a, b), 0);
  const least = shares.reduce((a, b) => Math.min(a, b), 0);
  const axis = least < 0 ? Math.max(1, Math.round((-least / (greatest - least)) * width)) : 0;
  const perCell = Math.max(greatest / Math.max(1, width - axis), axis === 0 ? 0 : -least / axis);
  return values.map((value) => {
    if (value === undefined || !Number.isFinite(value)) return "";
    const cells = value / largest / perCell;
    return value < 0 ? leftBar(-cells, axis) : " ".repeat(axis) + rightBar(cells);
  });
}

function rightBar(cells: number): string {
  const steps = Math.round(cells * 8);
  // What is there shows, however small.
  if (steps === 0) return cells > 0 ? "▏" : "";
  return full.repeat(Math.floor(steps / 8)) + eighths[steps % 8];
}

/** Block characters fill from the left, so that a bar to the left has halves only. */
function leftBar(cells: number, axis: number): string {
  const halves = Math.max(1, Math.min(Math.round(cells * 2), axis * 2));
  const bar = (halves % 2 === 1 ? rightHalf : "") + full.repeat(Math.floor(halves / 2));
  return bar.padStart(axis);
}
