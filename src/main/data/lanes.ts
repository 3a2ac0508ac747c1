/** Runs `work` on up to `lanes` items at once and yields the results in the order of the items; a failure ends the iteration. */
export async function* mapInOrder<Item, Result>(
  items: Iterable<Item>,
  lanes: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const result = work(item);
      // It may fail before its turn; it is awaited below all the same.
      result.catch(() => undefined);
      running.push(result);
      const first = running.length >= lanes ? running.shift() : undefined;
      if (first !== undefined) yield await first;
    }
    for (let next = running.shift(); next !== undefined; next = running.shift()) yield await next;
  } finally {
    // Whoever stops early must not leave a rejection that nobody reads.
    await Promise.allSettled(running);
  }
}
