// The one state of this module: what must be done when the process exits without having closed its servers.
const pending = new Set<() => void>();

/** Has `cleanup` (which cannot wait for anything) run when this process exits; gives the way to take that back. */
export function onProcessExit(cleanup: () => void): () => void {
  if (pending.size === 0) process.on('exit', runAll);
  pending.add(cleanup);
  return () => {
    pending.delete(cleanup);
    if (pending.size === 0) process.off('exit', runAll);
  };
}

function runAll(): void {
  for (const cleanup of pending) cleanup();
}
