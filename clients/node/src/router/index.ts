export { DroverError } from "../errors.ts";
export type { LoadedSource, Permissions } from "./access.ts";
export type { RouterOptions, RouterRequest, RouterUser } from "./gate.ts";
export { droverRoutes } from "./routes.ts";
