import type { TestProject } from "vitest/node";
import { programIn } from "../helpers/driver-program.ts";
import { FaultScene } from "../helpers/fault-scene.ts";
import { onDemand } from "./on-demand.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where test files ask for the data directory that scenes begin with (test/helpers/opened-scene.ts). */
    readonly faultScene: string;
  }
}

/** One data directory for all of the test run, made when it is first needed: a start, a load and a stop less for each scene. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const program = programIn(project.getProvidedContext().bundles);
  const scene = await onDemand(async () => {
    const opened = await FaultScene.open({ program });
    return { answer: opened.dataDirectory, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  });
  project.provide("faultScene", scene.socket);
  return async () => scene[Symbol.asyncDispose]();
}
