/** One figure that the bench takes. */
export interface Measure {
  /** Kebab-case; `npm run bench -- NAME` runs those whose names or groups contain the words given. */
  readonly name: string;
  /** What is compared with what, for people. */
  readonly title: string;
  readonly unit: "x" | "ms" | "MB" | "%" | "rows/s" | "MB/s";
  /** `report`: only to be told. */
  readonly target: { readonly atMost: number } | { readonly atLeast: number } | "report";
  value(bench: Bench): Promise<number>;
}

/** Measures that share their preparations. */
export interface MeasureGroup {
  readonly name: string;
  /** Runs only when it is named, because it is long. */
  readonly onlyWhenNamed?: boolean;
  readonly measures: readonly Measure[];
}

/** What a measure may use. */
export interface Bench {
  /** A folder that lives as long as the run. */
  readonly folder: string;
  /** A folder that survives runs, for generated data. */
  readonly cache: string;
  /** Says what is going on (stderr). */
  note(text: string): void;
}

export interface Result {
  readonly name: string;
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  readonly target: string;
  readonly met: boolean;
}

export function judge(measure: Measure, value: number): Result {
  const { name, title, unit, target } = measure;
  if (target === "report") return { name, title, value, unit, target: "reported", met: true };
  const met = "atMost" in target ? value <= target.atMost : value >= target.atLeast;
  const text = "atMost" in target ? `≤ ${target.atMost} ${unit}` : `≥ ${target.atLeast} ${unit}`;
  return { name, title, value, unit, target: text, met };
}
