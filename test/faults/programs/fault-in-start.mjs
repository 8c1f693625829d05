// Loaded before a driver's program: when a phase of the start begins, something happens to the process. As URL parameters:
// `phase`; `act`: `kill`, `stop` (SIGSTOP), or `never` (what it waits for next never comes); `once`: a file that is made then, and
// where it is there already nothing happens; `limit`: a file; waits of more than 100 s are over once it is there.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { phase, act, once, limit } = Object.fromEntries(new URL(import.meta.url).searchParams);
const acts = {
  kill: () => process.kill(process.pid, "SIGKILL"),
  stop: () => process.kill(process.pid, "SIGSTOP"),
  never: () => {
    fs.promises.mkdir = () => new Promise(() => {});
    syncBuiltinESMExports();
  },
};
const write = fs.writeSync;
fs.writeSync = (descriptor, text, ...more) => {
  const written = write(descriptor, text, ...more);
  if (String(text).includes(`"event":"phase","phase":"${phase}"`) && !(once && fs.existsSync(once))) {
    if (once) fs.writeFileSync(once, "");
    acts[act]();
  }
  return written;
};
if (limit) {
  const set = globalThis.setTimeout;
  globalThis.setTimeout = (call, delay, ...more) => {
    if (delay <= 100_000) return set(call, delay, ...more);
    const looking = setInterval(() => {
      if (!fs.existsSync(limit)) return;
      clearInterval(looking);
      call(...more);
    }, 50);
    return looking;
  };
}
syncBuiltinESMExports();
