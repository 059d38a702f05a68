import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '@bufbuild/protobuf';
import { bookstoreDescriptorSet } from '../../../deploy/demo/bookstore.js';
import { runContest } from '../harness/contest.js';
import type { Bench, Case } from '../harness/harness.js';
import { nghttpx } from '../peers/nghttpx.js';
import { nodeScript } from '../peers/node-script.js';
import { sluice } from '../sluice/sluice.js';
import { book, shelf, startGrpcUpstream } from './upstream.js';

/** HTTP/1.1 with JSON in, a unary gRPC call out. */
export const transcodeBench: Bench = (options) =>
  runContest(
    {
      reference: 'nghttpx',
      systems: [sluice(bookstore), nghttpx, nodeScript('node:http+grpc-js', 'node-http-grpc-js')],
      cases: [small, post],
      startUpstream: startGrpcUpstream,
    },
    options,
  );

const bookstore = {
  protocol: 'grpc',
  schemas: [{ name: 'bookstore', descriptor_set_file: bookstoreDescriptorSet }],
  route: { transcode: { schema: 'bookstore', services: ['bookstore.v1.Bookstore'] } },
} as const;

const bookOf1024Bytes = JSON.stringify({
  author: 'Herodotus of Halicarnassus',
  title: 'The Histories newly translated',
  published: '2003-05-27T00:00:00Z',
  tags: Array.from({ length: 60 }, (_, i) => `subject-${1_000 + i}`),
});

/** One field, from the path. */
const small: Case = {
  name: 'small',
  request: { method: 'GET', path: '/v1/shelves/42', headers: {}, body: '', chunked: false },
  connections: 64,
  tls: false,
  load: 'full',
  rounds: 5,
  onRequest: false,
  without: [],
  isAnswer: (body, system) => isMessage(shelf, body, system),
};

const post: Case = {
  ...small,
  name: 'post-1KiB',
  rounds: 3,
  request: {
    method: 'POST',
    path: '/v1/shelves/42/books',
    headers: { 'Content-Type': 'application/json' },
    body: bookOf1024Bytes,
    chunked: false,
  },
  isAnswer: (body, system) => isMessage(book, body, system),
};

/** Other fields than these are defaults, which a transcoder may write or leave out. */
function isMessage(expected: JsonObject, body: Buffer, system: string): boolean {
  if (system === 'nghttpx') return body.length > 5;
  const answer = JSON.parse(body.toString('utf8')) as JsonObject;
  return Object.entries(expected).every(([name, value]) => isDeepStrictEqual(answer[name], value));
}
