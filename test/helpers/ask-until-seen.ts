import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks, again and again, until it is seen that the answer is being worked on: whoever looks late may find that it was there
 * already. The answer comes in an object, so that it is not waited for.
 */
export async function askUntilSeen<T>(
  ask: () => Promise<T>,
  isSeen: () => Promise<boolean>,
): Promise<{ readonly answer: Promise<T> }> {
  for (;;) {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    const answer = ask();
    answer.then(over, over);
    while (!isOver) {
      if (await isSeen()) return { answer };
      await delay(10);
    }
    await answer;
  }
}
