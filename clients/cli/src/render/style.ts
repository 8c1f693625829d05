import pc from "picocolors";

/** The few ways in which text is set off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** With or without colours. */
export function styleFor(colours: boolean): Style {
  const { bold, dim, red, cyan } = pc.createColors(colours);
  return { bold, dim, red, cyan };
}

/** Whether a stream is to have colours: a terminal that is not `dumb`, unless NO_COLOR is set (https://no-color.org). */
export function wantsColours(isTty: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTty && !env.NO_COLOR && env.TERM !== "dumb";
}
