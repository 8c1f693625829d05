import { DriverError } from "../../errors/driver-error.ts";

/** What a worker's JavaScript may do with files; its engine's native code is bound by other means. */
export interface FilePermissions {
  /** Files, and folders with all that is in them. */
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/**
 * Node's arguments that grant these and nothing else: no other files, no processes, no threads, no debugger. Native code stays allowed,
 * since the engine is native. Throws LIBRARY_SET_UNCONFINED.
 */
export function permissionArguments({ read, write }: FilePermissions): readonly string[] {
  requireExact([...read, ...write]);
  return [
    "--permission",
    "--allow-addons",
    // It says on every start that native code is to be allowed with care.
    "--disable-warning=SecurityWarning",
    // From Node 25 on the network is granted, too.
    ...(process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : []),
    ...[...read, ...write].map((path) => `--allow-fs-read=${path}`),
    ...write.map((path) => `--allow-fs-write=${path}`),
  ];
}

/** Node takes an asterisk for all that begins so: it would grant too much. Throws LIBRARY_SET_UNCONFINED. */
export function requireExact(paths: readonly string[]): void {
  const vague = paths.find((path) => path.includes("*"));
  if (vague === undefined) return;
  throw new DriverError(
    "LIBRARY_SET_UNCONFINED",
    `workers with library sets can't be confined to ${vague}: Node takes the asterisk in it for any characters`,
    { metadata: { path: vague } },
  );
}
