import { isSetting, type Setting, type SettingGroup } from "./setting.ts";
import { settings } from "./settings.ts";

/** A setting with its names: `limits.maxRequestBytes`, `--limits-max-request-bytes`, `DROVER_LIMITS_MAX_REQUEST_BYTES`. */
export interface NamedSetting {
  readonly path: readonly string[];
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  readonly setting: Setting<unknown>;
}

/** All settings in the order of the table. */
export function namedSettings(group: SettingGroup = settings, prefix: readonly string[] = []): readonly NamedSetting[] {
  return Object.entries(group).flatMap(([name, entry]) => {
    const path = [...prefix, name];
    if (!isSetting(entry)) return namedSettings(entry, path);
    const words = path.map((part) => part.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).join("-");
    return [
      {
        path,
        key: path.join("."),
        flag: words,
        variable: `DROVER_${words.replaceAll("-", "_").toUpperCase()}`,
        setting: entry,
      },
    ];
  });
}
