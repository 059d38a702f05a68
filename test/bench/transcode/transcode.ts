import { isDeepStrictEqual } from 'node:util';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { order } from '../codec/payloads.js';
import { runContest } from '../harness/contest.js';
import type { Bench, Case } from '../harness/harness.js';
import { envoy } from '../peers/envoy.js';
import { nghttpx } from '../peers/nghttpx.js';
import { nodeScript } from '../peers/node-script.js';
import { sluice } from '../sluice/sluice.js';
import { services, writeDescriptors } from './descriptors.js';
import { book, largeOrder, shelf, smallOrder, startGrpcUpstream } from './upstream.js';

/** HTTP/1.1 with JSON in, a unary gRPC call out. */
export const transcodeBench: Bench = async (options) => {
  const { path, set, remove } = await writeDescriptors();
  try {
    const service = {
      protocol: 'grpc',
      schemas: [{ name: 'bench', descriptor_set_file: path }],
      route: { transcode: { schema: 'bench', services } },
    } as const;
    return await runContest(
      {
        reference: 'nghttpx',
        systems: [
          sluice(service),
          nghttpx,
          envoy({ descriptorSet: path, services }),
          nodeScript('node:http+grpc-js', 'node-http-grpc-js', [path]),
        ],
        cases: [small, post, nested, large],
        startUpstream: () => startGrpcUpstream(set),
      },
      options,
    );
  } finally {
    await remove();
  }
};

/** Some of the other routes are of this host. */
const host = 'api.example.com';

const bookOf1024Bytes = JSON.stringify({
  author: 'Herodotus of Halicarnassus',
  title: 'The Histories newly translated',
  published: '2003-05-27T00:00:00Z',
  tags: Array.from({ length: 60 }, (_, i) => `subject-${1_000 + i}`),
});

/** One field, from the path. */
const small: Case = {
  name: 'small',
  request: { method: 'GET', path: '/v1/shelves/42', headers: { Host: host }, body: '', chunked: false },
  connections: 64,
  tls: false,
  load: 'full',
  rounds: 5,
  onRequest: false,
  without: [],
  isAnswer: (body, system) => isMessage(shelf, body, system),
};

const post: Case = { ...small, name: 'post-1KiB', ...call('/v1/shelves/42/books', bookOf1024Bytes, book) };

/** An order of three items with prices and a customer, in and out. */
const nested: Case = { ...small, name: 'nested', ...call('/v1/shops/7/orders', order(3).json, smallOrder) };

/** An order of 71 items, 10 KiB in and out. */
const large: Case = { ...small, name: '10KiB', ...call('/v1/shops/7/orders:import', order(71).json, largeOrder) };

function call(path: string, body: string, expected: JsonObject): Pick<Case, 'rounds' | 'request' | 'isAnswer'> {
  return {
    rounds: 3,
    request: {
      method: 'POST',
      path,
      headers: { Host: host, 'Content-Type': 'application/json' },
      body,
      chunked: false,
    },
    isAnswer: (answer, system) => isMessage(expected, answer, system),
  };
}

function isMessage(expected: JsonObject, body: Buffer, system: string): boolean {
  return system === 'nghttpx' ? body.length > 5 : holds(JSON.parse(body.toString('utf8')) as JsonValue, expected);
}

/** Other fields than these are defaults, which a transcoder may write or leave out. */
function holds(actual: JsonValue | undefined, expected: JsonValue): boolean {
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) && actual.length === expected.length && expected.every((it, i) => holds(actual[i], it))
    );
  }
  if (typeof expected !== 'object' || expected === null) return isDeepStrictEqual(actual, expected);
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false;
  return Object.entries(expected).every(([name, value]) => holds(actual[name], value));
}
