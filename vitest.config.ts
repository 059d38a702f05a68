import { defineConfig } from 'vitest/config';

const common = {
  exclude: ['**/node_modules/**', 'dist/**'],
  pool: 'forks' as const,
  testTimeout: 20_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'rooms',
          include: ['{proto,control-plane,data-plane,deploy,test}/**/*.test.ts'],
          exclude: [...common.exclude, 'test/e2e/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole clusters, which measure times: one after the other, with the machine to themselves.
        test: {
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
