/** What is pushed on one side is taken on the other, one by one and in order. */
export function createInbox<T>() {
  const items: T[] = [];
  let end: (() => IteratorReturnResult<undefined>) | null = null;
  let wake = () => {};
  const finish = (how: () => IteratorReturnResult<undefined>) => {
    end ??= how;
    wake();
  };
  return {
    push(item: T): void {
      if (end === null) items.push(item);
      wake();
    },
    end: () => finish(() => ({ done: true, value: undefined })),
    fail: (error: unknown) =>
      finish(() => {
        throw error;
      }),
    /** Whatever was pushed before the end comes before it. */
    async next(): Promise<IteratorResult<T, undefined>> {
      for (;;) {
        const [value] = items.splice(0, 1);
        if (value !== undefined) return { done: false, value };
        if (end !== null) return end();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
