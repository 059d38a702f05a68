import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { bookSet, get } from './http-rules.js';

/** Small valid resources for tests of the admin API, to be varied. */
export function staticEndpoints(...ports: number[]) {
  return {
    source: { case: 'static' as const, value: { endpoints: ports.map((port) => ({ address: '127.0.0.1', port })) } },
  };
}

export function httpService(name = 'orders', port = 9001) {
  return { name, protocol: Protocol.HTTP, discovery: staticEndpoints(port) };
}

export function grpcService(name = 'library') {
  return { name, protocol: Protocol.GRPC, discovery: staticEndpoints(50051) };
}

export function prefixRoute(name = 'orders-read', service = 'orders', path = '/orders') {
  return { name, service, hosts: ['api.example.com'], paths: [{ kind: { case: 'prefix' as const, value: path } }] };
}

export function bookSchema(name = 'books') {
  return { name, descriptorSet: bookSet(get('/v1/books/{id}')) };
}

export function bookRoute(name = 'books') {
  return { name, service: 'library', hosts: ['api.example.com'], transcode: { schema: 'books' } };
}
