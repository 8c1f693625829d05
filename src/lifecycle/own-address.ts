import { addressFileOwner } from "./address-file.ts";

export interface OwnAddressOptions {
  readonly file: string;
  readonly instanceId: string;
  readonly intervalMs: number;
  /** Called once, when the file is gone or another's: another driver took over, or an administrator took it away. */
  readonly onLost: () => void;
}

/** Looks from time to time whether the address file still names this driver, until it is disposed. */
export function watchOwnAddress({ file, instanceId, intervalMs, onLost }: OwnAddressOptions): Disposable {
  const timer = setInterval(async () => {
    const owner = await addressFileOwner(file).catch(() => instanceId);
    if (owner === instanceId || stopped) return;
    stop();
    onLost();
  }, intervalMs).unref();
  let stopped = false;
  const stop = () => {
    stopped = true;
    clearInterval(timer);
  };
  return { [Symbol.dispose]: stop };
}
