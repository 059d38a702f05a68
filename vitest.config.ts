import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{proto,control-plane,data-plane,deploy,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
