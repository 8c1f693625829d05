// Loaded before a driver's program: its wall clock jumps by days, forth and back, every time that it is read.
const now = Date.now;
const DAY_MS = 86_400_000;
let reads = 0;
Date.now = () => now() + (reads++ % 2 === 0 ? 30 : -30) * DAY_MS;
