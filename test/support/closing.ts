import { afterEach } from 'vitest';

/** What is called after each test, the last first. For a test file to call once. */
export function useClosing(): (() => Promise<void> | void)[] {
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  return closing;
}
