import { create, fromBinary, getOption, toBinary, createFileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { AdminError, code } from '../../control-plane/errors.js';
import { http } from '../../proto/gen/google/api/annotations_pb.js';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  HealthListRequestSchema,
  HealthListResponseSchema,
} from '../../proto/gen/grpc/health/v1/health_pb.js';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { NodeStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { httpService } from '../support/admin-config.js';
import { AdminClient, refusalOf, startAdmin } from '../support/admin.js';

import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import type { Store } from '../../control-plane/store/store.js';
import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;
/** Thrown by the next call of the store, once. */
let fault: Error | null = null;

beforeAll(async () => {
  admin = await startAdmin({ wrap: faulty });
});

afterAll(() => admin.close());

function faulty(store: Store): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const thrown = fault;
        fault = null;
        return thrown === null ? Reflect.apply(member, target, args) : Promise.reject(thrown);
      };
    },
  });
}

describe.each(['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'])(
  'reflection as %s',
  (service) => {
    async function ask(
      ...asks: ServerReflectionRequest['messageRequest'][]
    ): Promise<ServerReflectionResponse['messageResponse'][]> {
      const messages = asks.map((messageRequest) =>
        toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest })),
      );
      const answers = await admin.client.converse('ServerReflectionInfo', messages, service);
      return answers.map((answer) => fromBinary(ServerReflectionResponseSchema, answer).messageResponse);
    }

    test('lists the services', async () => {
      const [answer] = await ask({ case: 'listServices', value: '*' });

      expect(answer?.case === 'listServicesResponse' && answer.value.service.map(({ name }) => name)).toEqual([
        'sluice.v1.Admin',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
      ]);
    });

    test("gives a symbol's file with all imports, options whole", async () => {
      const [answer] = await ask({ case: 'fileContainingSymbol', value: 'sluice.v1.Admin.GetRoute' });

      if (answer?.case !== 'fileDescriptorResponse') throw new Error('no files');
      const file = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.toReversed() }));
      const method = registry.getService('sluice.v1.Admin')?.method['getRoute'];
      if (method === undefined) throw new Error('no method');
      expect(file[0]?.name).toBe('sluice/v1/admin.proto');
      expect(getOption(method, http).pattern).toEqual({ case: 'get', value: '/v1/routes/{name}' });
    });

    test('answers for files, messages, fields, enum values and extensions, several on one stream', async () => {
      const answers = await ask(
        { case: 'fileByFilename', value: 'google/api/http.proto' },
        { case: 'fileContainingSymbol', value: 'sluice.v1.Route.paths' },
        { case: 'fileContainingSymbol', value: 'sluice.v1.KIND_ROUTE' },
        {
          case: 'fileContainingExtension',
          value: {
            $typeName: 'grpc.reflection.v1.ExtensionRequest',
            containingType: 'google.protobuf.MethodOptions',
            extensionNumber: 72295728,
          },
        },
        { case: 'allExtensionNumbersOfType', value: 'google.protobuf.MethodOptions' },
      );

      expect(answers.map((answer) => answer.case)).toEqual([
        'fileDescriptorResponse',
        'fileDescriptorResponse',
        'fileDescriptorResponse',
        'fileDescriptorResponse',
        'allExtensionNumbersResponse',
      ]);
    });

    test('answers what it does not know with an error, and goes on', async () => {
      const answers = await ask(
        { case: 'fileContainingSymbol', value: 'no.Such' },
        { case: 'fileByFilename', value: 'x' },
        { case: 'listServices', value: '' },
      );

      expect(answers.map((answer) => (answer.case === 'errorResponse' ? answer.value.errorCode : answer.case))).toEqual(
        [code.notFound, code.notFound, 'listServicesResponse'],
      );
    });
  },
);

describe('health', () => {
  const request = (service: string) =>
    toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));

  test.each(['', 'sluice.v1.Admin'])('%j is serving', async (service) => {
    const answer = await admin.client.send('Check', request(service), 'grpc.health.v1.Health');

    expect(fromBinary(HealthCheckResponseSchema, answer).status).toBe(ServingStatus.SERVING);
  });

  test('an unknown service is NOT_FOUND to Check and SERVICE_UNKNOWN to Watch', async () => {
    const refusal = await refusalOf(admin.client.send('Check', request('x'), 'grpc.health.v1.Health'));
    const stream = admin.client.stream('Watch', request('x'), 'grpc.health.v1.Health');
    const first = await stream.next();
    await stream.return(undefined);

    expect(refusal.code).toBe(code.notFound);
    expect(fromBinary(HealthCheckResponseSchema, first.value ?? Uint8Array.of()).status).toBe(
      ServingStatus.SERVICE_UNKNOWN,
    );
  });

  test('List gives every service', async () => {
    const answer = await admin.client.send(
      'List',
      toBinary(HealthListRequestSchema, create(HealthListRequestSchema)),
      'grpc.health.v1.Health',
    );

    expect(Object.keys(fromBinary(HealthListResponseSchema, answer).statuses)).toContain('sluice.v1.Admin');
  });

  test('a server that closes says so to watchers, and ends their streams', async () => {
    await using other = await startAdmin({ store: admin.store });
    const stream = other.client.stream('Watch', request(''), 'grpc.health.v1.Health');
    const first = await stream.next();
    const closed = other.stop();

    const second = await stream.next();
    const third = await stream.next();
    await closed;

    expect(
      [first, second].map(({ value }) => fromBinary(HealthCheckResponseSchema, value ?? Uint8Array.of()).status),
    ).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
    expect(third.done).toBe(true);
  });
});

describe('errors', () => {
  test('a store that cannot be reached is UNAVAILABLE, and nothing is logged as our fault', async () => {
    fault = new AdminError(code.unavailable, 'STORE_UNAVAILABLE', 'The store cannot be reached.');

    const refusal = await refusalOf(admin.client.call('createService', { service: httpService() }));

    expect(refusal).toMatchObject({
      code: code.unavailable,
      reason: 'STORE_UNAVAILABLE',
      message: 'The store cannot be reached.',
    });
    expect(admin.logged).toEqual([]);
  });

  test('an unexpected error is INTERNAL with an id, and only the log has the cause', async () => {
    fault = new Error('password is hunter2');

    const refusal = await refusalOf(admin.client.call('getService', { name: 'x' }));

    const [entry] = admin.logged.splice(0);
    expect(refusal).toMatchObject({ code: code.internal, reason: 'INTERNAL' });
    expect(refusal.message).not.toContain('hunter2');
    expect(entry).toMatchObject({
      fields: { method: 'GetService', error: expect.objectContaining({ message: 'password is hunter2' }) },
    });
    expect(refusal.message).toContain(String(entry?.fields['id']));
  });
});

describe('close', () => {
  test('takes no more calls and frees the port', async () => {
    await using other = await startAdmin({ store: admin.store });
    await other.stop();
    const client = new AdminClient(other.address);

    const refusal = await refusalOf(client.call('listServices', {}));
    client.close();

    expect(refusal.code).toBe(code.unavailable);
  });

  test('ends a watch of convergence, telling the caller to ask another replica', async () => {
    await using other = await startAdmin({ store: admin.store });
    other.tables.setNodes([{ status: create(NodeStatusSchema, { nodeId: 'behind' }), lastSeenMs: 0, silent: false }]);
    const stream = other.client.stream('WatchConvergence', Uint8Array.of());
    await stream.next();
    const closed = other.stop();

    const refusal = await refusalOf(stream.next());
    await closed;

    expect(refusal).toMatchObject({ code: code.unavailable, reason: 'CLOSING' });
    expect(other.tables.watchers).toBe(0);
  });
});
