import { inject } from "vitest";
import { FaultScene } from "./fault-scene.ts";
import { askFor } from "./on-demand.ts";
import { driverProgram } from "./profile.ts";

/** A scene with the dataset `before`, which one driver has loaded for all of the test run. */
export async function openedScene(): Promise<FaultScene> {
  return FaultScene.open({ program: driverProgram, copyOf: await askFor(inject("faultScene")) });
}
