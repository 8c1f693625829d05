/** Of a run of npm that has started this process, and what makes every Node load other code. */
const NEVER = /^(?:DROVER_.*|npm_(?!config_).*|INIT_CWD|NODE|NODE_OPTIONS|NODE_PATH|NODE_CHANNEL_.*)$/;
const NEEDED = ["PATH", "LANG", "LC_ALL"];

/**
 * What npm gets of the driver's environment: all that its configuration may refer to (registries' tokens, proxies,
 * certificates), and nothing of the driver's own.
 */
export function npmEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !NEVER.test(name)));
}

/**
 * For packages' own scripts, and for npm where it shall ask nobody: no secret, no configuration, a home of its own, and nothing that
 * leads to code that others run.
 */
export function bareEnvironment(environment: NodeJS.ProcessEnv, home: string): NodeJS.ProcessEnv {
  const kept = NEEDED.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]));
  return { ...Object.fromEntries(kept), HOME: home, TMPDIR: home, NODE_DISABLE_COMPILE_CACHE: "1" };
}
