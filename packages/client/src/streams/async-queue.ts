/** A queue with one consumer: items are pushed on one side and iterated in order on the other. */
export function createAsyncQueue<T>() {
  const items: T[] = [];
  let finish: (() => IteratorReturnResult<undefined>) | null = null;
  let wakeConsumer = () => {};
  const close = (how: () => IteratorReturnResult<undefined>) => {
    finish ??= how;
    wakeConsumer();
  };
  return {
    push(item: T): void {
      if (finish === null) items.push(item);
      wakeConsumer();
    },
    end: () => close(() => ({ done: true, value: undefined })),
    fail: (error: unknown) =>
      close(() => {
        throw error;
      }),
    /** Items that were pushed before `end` or `fail` are delivered first. */
    async next(): Promise<IteratorResult<T, undefined>> {
      for (;;) {
        const [value] = items.splice(0, 1);
        if (value !== undefined) return { done: false, value };
        if (finish !== null) return finish();
        await new Promise<void>((resolve) => {
          wakeConsumer = resolve;
        });
      }
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
