// Loaded before a driver's program: its wall clock is set by an hour, forth and back, twice in a second.
const now = Date.now;
const HOUR_MS = 3_600_000;
Date.now = () => now() + (Math.floor(performance.now() / 500) % 2 === 0 ? HOUR_MS : -HOUR_MS);
