/**
 * A URI as errors and logs may show it: whatever could be a password is left out. Up to the last @, because a password may hold
 * characters that should have been escaped; rather too much is hidden than too little.
 */
export function shownUri(uri: string): string {
  return uri
    .replace(/^((?:jdbc:)?[a-z][a-z0-9+.-]*:\/\/[^:@]*):.*@/is, "$1:…@")
    .replace(/([?&;][^=&;#]*(?:pass|pwd|secret|token)[^=&;#]*=)[^&;#]*/gi, "$1…");
}
