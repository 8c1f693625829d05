/** What a worker's JavaScript may do with files; its engine's native code is bound by other means. */
export interface FilePermissions {
  /** Files, and folders with all that is in them. */
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/**
 * Node's arguments that grant these and nothing else: no other files, no processes, no threads, no debugger. Native code stays allowed,
 * since the engine is native.
 */
export function permissionArguments({ read, write }: FilePermissions): readonly string[] {
  return [
    "--permission",
    "--allow-addons",
    // It says on every start that native code is to be allowed with care.
    "--disable-warning=SecurityWarning",
    // From Node 25 on the network is granted, too.
    ...(process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : []),
    ...[...read, ...write].filter(isExact).map((path) => `--allow-fs-read=${path}`),
    ...write.filter(isExact).map((path) => `--allow-fs-write=${path}`),
  ];
}

/** Node takes an asterisk for all that begins so. */
function isExact(path: string): boolean {
  return !path.includes("*");
}
