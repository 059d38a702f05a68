/** What node is told at the start of a process, here and in package.json, the Dockerfile and sluice.ts (docs/decisions/0010). */
export const nodeFlags: readonly string[] = ['--v8-pool-size=1'];
