import { runContest } from '../harness/contest.js';
import type { Bench, Case } from '../harness/harness.js';
import { envoy } from '../peers/envoy.js';
import { haproxyCalls } from '../peers/haproxy.js';
import { nghttpx } from '../peers/nghttpx.js';
import { nginxCalls } from '../peers/nginx-calls.js';
import { sluice } from '../sluice/sluice.js';
import { message, replies, startCallUpstream, type Method } from './upstream.js';

/** gRPC calls over HTTP/2 that go through as they are. */
export const grpcBench: Bench = (options) =>
  runContest(
    {
      reference: 'nginx',
      systems: [
        sluice({ protocol: 'grpc', schemas: [], route: { grpc: [{ service: 'bench.v1.Bench' }] } }),
        nginxCalls,
        haproxyCalls,
        nghttpx,
        envoy(null),
      ],
      cases: [
        call('small', 'Empty', 0),
        call('1KiB', 'OneKiB', 1_024),
        call('64KiB', 'SixtyFourKiB', 65_536),
        call('stream-1000', 'Stream', 0),
      ],
      startUpstream: startCallUpstream,
    },
    options,
  );

function call(name: string, method: Method, requestBytes: number): Case {
  const reply = replies[method];
  return {
    name,
    request: {
      method: 'POST',
      path: `/bench.v1.Bench/${method}`,
      headers: { 'content-type': 'application/grpc', te: 'trailers' },
      body: message(requestBytes),
      chunked: false,
    },
    connections: 64,
    tls: false,
    load: 'calls',
    rounds: name === 'small' ? 5 : 3,
    onRequest: false,
    // They break off replies of so many frames.
    without: name === 'stream-1000' ? ['haproxy', 'nghttpx'] : [],
    isAnswer: (body) => body.toString('latin1') === reply,
    answerBytes: reply.length,
  };
}
