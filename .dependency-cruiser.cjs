/**
 * The walls of the house (ARCHITECTURE.md). `npm run check:deps` fails on an import that goes through one. Cycles are the linter's
 * (import/no-cycle), which can tell imports of types apart.
 */
const notTests = { pathNot: '(\\.test|fixture)\\.ts$' };
const pureRooms =
  '^(proto/snapshot|control-plane/snapshot|control-plane/registry/consul/meaning/|control-plane/admin/convert\\.ts|data-plane/(grpc|router|certificates|transcoder|wire|retry\\.ts))';

module.exports = {
  forbidden: [
    {
      name: 'data-plane-stands-alone',
      severity: 'error',
      from: { path: '^data-plane', ...notTests },
      to: { path: '^(control-plane|deploy|test)' },
    },
    {
      name: 'control-plane-uses-pure-data-plane-only',
      comment: 'A candidate config is checked and explained by the code that a node runs; nothing else of a node is needed. The explain room sends nothing, though it is made of rooms that do.',
      severity: 'error',
      from: { path: '^control-plane', ...notTests },
      to: {
        path: '^(data-plane|deploy|test)',
        pathNot: '^data-plane/(explain/explain|router/router|certificates/certificates|transcoder/transcoder|runtime/compile|headers|errors)\\.ts$',
      },
    },
    {
      name: 'proto-stands-alone',
      severity: 'error',
      from: { path: '^proto', ...notTests },
      to: { path: '^(control-plane|data-plane|deploy|test)' },
    },
    {
      name: 'pure-rooms-do-no-io',
      comment: 'node:crypto (sha256) and node:buffer compute; everything else of node:, and every client library, does I/O.',
      severity: 'error',
      from: { path: pureRooms, ...notTests },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer)$' },
    },
    {
      name: 'pure-rooms-use-no-client-library',
      severity: 'error',
      from: { path: pureRooms, ...notTests },
      to: { path: 'node_modules/(@grpc|consul|nats|undici|drizzle-orm|pg|@electric-sql)/' },
    },
    {
      name: 'other-rooms-use-the-door',
      comment: 'The door of a room, or of a room within one, is the file with the name of the folder. The pieces of data-plane/socket are each a door.',
      severity: 'error',
      from: { path: '^(?:control-plane|data-plane|proto)/([^/]+)/', pathNot: ['(\\.test|fixture)\\.ts$', '^proto/gen'] },
      to: {
        path: '^(?:control-plane|data-plane|proto)/([^/]+)/(.+)\\.ts$',
        pathNot: ['^[^/]+/$1/', '^proto/gen/', '/([^/]+)/\\1\\.ts$', '^data-plane/socket/', '^data-plane/upstream/(transport|hop-by-hop)\\.ts$', '^data-plane/runtime/compile\\.ts$', '^proto/snapshot/problem\\.ts$'],
      },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'], extensions: ['.ts', '.js'] },
  },
};
