import type { Store } from '../store/store.js';

/** `store`, which also tells of each revision that is committed through it, before the caller of `transact` hears of it. */
export function tellingCommits(store: Store, committed: (revision: bigint) => void): Store {
  return {
    read: () => store.read(),
    async transact(actor, decide) {
      const state = await store.transact(actor, decide);
      committed(state.version.revision);
      return state;
    },
    history: (before, limit) => store.history(before, limit),
    patchesSince: (revision) => store.patchesSince(revision),
    watch: (changed) => store.watch(changed),
    campaign: (holder, standing, signal) => store.campaign(holder, standing, signal),
    get reachable() {
      return store.reachable;
    },
    close: () => store.close(),
  };
}
