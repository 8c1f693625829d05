import { avg, column, count, type Dimension, dim, type Frame, type QuerySpec, where } from "@drover/client/browser";

/** What the analyst chose. */
export interface Choice {
  /** An airport's code; empty for all. */
  readonly origin: string;
  readonly by: keyof typeof groupings;
  readonly show: keyof typeof figures;
}

/** A bar. */
export interface Bar {
  readonly label: string;
  /** Undefined where there is nothing. */
  readonly value: number | undefined;
  /** Everything that is known of it, for people. */
  readonly details: string;
}

interface Grouping {
  readonly title: string;
  readonly dimension: Dimension;
  readonly label: (group: number) => string;
  /** The groups that have a place in the chart even if they are empty. */
  readonly groups: readonly number[];
}

interface Figure {
  readonly title: string;
  readonly format: (value: number) => string;
}

const days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export const groupings = {
  hour: { title: "Hour", dimension: dim("date").hourOfDay(), label: (hour) => `${hour}:00`, groups: range(0, 23) },
  weekday: {
    title: "Weekday",
    dimension: dim("date").dayOfWeek(),
    label: (day) => days[day - 1] ?? "",
    groups: range(1, 7),
  },
  month: {
    title: "Month",
    dimension: dim("date").monthOfYear(),
    label: (month) => months[month - 1] ?? "",
    groups: [],
  },
} as const satisfies Record<string, Grouping>;

export const figures = {
  delay: { title: "Average delay", format: (minutes) => `${minutes.toFixed(1)} min` },
  late: { title: "Late departures", format: (share) => `${(share * 100).toFixed(1)} %` },
  flights: { title: "Flights", format: (flights) => flights.toLocaleString("en-US") },
} as const satisfies Record<string, Figure>;

/** The question for a choice: all figures at once, since one scan gives them all. */
export function questionOf({ origin, by }: Choice): QuerySpec {
  return {
    dimensions: [groupings[by].dimension.as("group")],
    measures: [
      count().as("flights"),
      count().where(where("delay").greaterThan(15)).as("lateFlights"),
      avg("delay").as("delay"),
    ],
    calculatedMeasures: { late: column("lateFlights").dividedBy(column("flights")) },
    ...(origin !== "" && { where: where("origin").equals(origin) }),
  };
}

export const airportsQuestion: QuerySpec = {
  dimensions: ["origin"],
  measures: [count().as("flights")],
  order: [{ by: "flights", descending: true }],
  limit: 14,
};

/** The bars of an answer, in the order of its groups. */
export function barsOf(frame: Frame, { by, show }: Choice): Bar[] {
  const { label, groups } = groupings[by];
  const rows = new Map(frame.rows.map((row) => [Number(row.group), row]));
  const shown = [...new Set([...groups, ...rows.keys()])].sort((one, other) => one - other);
  return shown.map((group) => {
    const row = rows.get(group);
    if (row === undefined) return { label: label(group), value: undefined, details: `${label(group)}\nNo flights` };
    const lines = Object.entries(figures).map(([name, { title, format }]) => `${title}: ${format(Number(row[name]))}`);
    return { label: label(group), value: Number(row[show]), details: [label(group), ...lines].join("\n") };
  });
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

export function titleOf({ origin, by, show }: Choice): string {
  const from = origin === "" ? "all airports" : origin;
  return `${figures[show].title} from ${from} by ${groupings[by].title.toLowerCase()}`;
}
