import type { DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { Role } from "../../src/access/model.ts";
import type { Caller, Reach } from "./access-callers.ts";
import type { Scene, SignName } from "./access-scene.ts";

/** What a call is about, which decides who of those whose role is enough gets an answer. */
export interface About {
  /** The reason of the refusal; undefined: the caller is answered. */
  refusal(caller: Caller): string | undefined;
  /** The reason where the same is asked of a dataset that is not granted; undefined: it is about no single dataset. */
  readonly elsewhere?: string;
  /** Whether those who see everything may be asked about that other dataset, too: nothing is changed by it. */
  readonly isHarmless?: boolean;
}

/** One way to call a method. */
export interface Ask<Init = Readonly<Record<string, unknown>>> {
  readonly about: About;
  /** All messages, where the method takes a stream. */
  request(place: { readonly caller: Caller; readonly dataset: string }): Init | readonly Init[];
  /** Which dataset is asked about. Default: `sales`. */
  dataset?(caller: Caller): string;
  /** What stands in the answer for everybody who may see it. */
  readonly shows?: readonly SignName[];
  /** The reason with which the call ends for those who are let in, where it can't succeed. */
  readonly ends?: string;
  /** The reason with which it ends for some of those who are let in, since it names what they don't see. */
  readonly endsFor?: Readonly<Partial<Record<Reach, string>>>;
  /** What has to be there for those who are let in. */
  before?(caller: Caller, scene: Scene): Promise<unknown>;
  /** Ends a stream that does not end by itself. It is opened before all calls, and read behind all of them. */
  isLast?(message: Message): boolean;
}

/** What must hold of a method. */
export interface Row {
  readonly method: DescMethod;
  readonly least: Role | "anyone";
  readonly asks: readonly Ask[];
}

export function row<M extends DescMethod>(
  method: M,
  least: Row["least"],
  ...asks: readonly Ask<MessageInitShape<M["input"]>>[]
): Row {
  return { method, least, asks };
}

/** Rows or columns are held back. */
const PARTIAL: readonly Reach[] = ["filtered", "hidden", "narrowed", "widened"];

/** No data, or only such of it as the caller sees. */
export const seen: About = { refusal: () => undefined };

/** Sources, at which nothing could be held back. */
export const sources: About = { refusal: ({ reach }) => (PARTIAL.includes(reach) ? "ACCESS_DENIED" : undefined) };

/** Every dataset that there is. */
export const everything: About = { refusal: ({ reach }) => (reach === "unbounded" ? undefined : "ACCESS_DENIED") };

/** A dataset that is granted where any is; one that is not granted is as if it did not exist. */
export const reading: About = {
  refusal: ({ reach }) => (reach === "nothing" ? "DATASET_NOT_FOUND" : undefined),
  elsewhere: "DATASET_NOT_FOUND",
  isHarmless: true,
};

/** A dataset that whoever sees a part of it can't change. */
export const changing: About = {
  refusal: (caller) => reading.refusal(caller) ?? sources.refusal(caller),
  elsewhere: "DATASET_NOT_FOUND",
};

/** A dataset that the caller would make. */
export const making: About = {
  refusal: ({ reach }) => (reach === "nothing" || PARTIAL.includes(reach) ? "ACCESS_DENIED" : undefined),
  elsewhere: "ACCESS_DENIED",
};

/** What the caller has loaded itself, if it could. */
export const ownLoads: About = {
  refusal: ({ reach }) =>
    reach === "unbounded" || reach === "granted" || reach === "narrowed" ? undefined : "OPERATION_NOT_FOUND",
};

/** What the caller has asked before it gave anything up. */
export const broadBefore: About = {
  refusal: ({ reach }) => (reach === "unbounded" || reach === "narrowed" ? undefined : "OPERATION_NOT_FOUND"),
};

/** What administrators keep to themselves. */
export function others(reason: string): About {
  return { refusal: ({ role }) => (role === "admin" ? undefined : reason) };
}

export function both(first: About, second: About): About {
  return { refusal: (caller) => first.refusal(caller) ?? second.refusal(caller) };
}
