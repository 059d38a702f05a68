import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Metadata, status } from '@grpc/grpc-js';

import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';

import type { Client, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';

export type Question = Extract<ServerReflectionRequest['messageRequest'], { value: string }>;
export type Answer = ServerReflectionResponse['messageResponse'];

/** Questions to one server, all on one stream, so that one process answers them. */
export interface Conversation {
  /** As many answers as questions, in their order. */
  ask(questions: readonly Question[]): Promise<readonly Answer[]>;
}

/** The messages of both are the same; the newer name is tried first. */
const versions = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

/**
 * Runs `work` with a conversation in whichever version of reflection the server has; rejects with its ServiceError, at the latest at
 * the deadline or when `signal` aborts: closing a client alone leaves its calls to the server.
 */
export async function converse<T>(
  client: Client,
  deadlineMs: number,
  signal: AbortSignal,
  work: (conversation: Conversation) => Promise<T>,
): Promise<T> {
  let last: unknown;
  for (const service of versions) {
    const stream = client.makeBidiStreamRequest(
      `/${service}/ServerReflectionInfo`,
      (message: ServerReflectionRequest) => Buffer.from(toBinary(ServerReflectionRequestSchema, message)),
      (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
      new Metadata(),
      { deadline: deadlineMs },
    );
    const cancel = (): void => stream.cancel();
    signal.addEventListener('abort', cancel);
    try {
      return await work(new StreamConversation(stream));
    } catch (error) {
      last = error;
      if ((error as Partial<ServiceError>).code !== status.UNIMPLEMENTED) break;
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }
  throw last;
}

class StreamConversation implements Conversation {
  readonly #stream: ClientDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
  readonly #answers: AsyncIterator<unknown>;

  constructor(stream: ClientDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) {
    this.#stream = stream;
    this.#answers = stream[Symbol.asyncIterator]();
    // The iterator tells of an error to whoever waits for an answer; one that comes when nobody waits is of no concern.
    stream.on('error', () => undefined);
  }

  async ask(questions: readonly Question[]): Promise<readonly Answer[]> {
    for (const messageRequest of questions)
      this.#stream.write(create(ServerReflectionRequestSchema, { messageRequest }));
    const answers: Answer[] = [];
    while (answers.length < questions.length) {
      const { done, value } = await this.#answers.next();
      if (done === true) throw new Error('the server ended the conversation');
      answers.push((value as ServerReflectionResponse).messageResponse);
    }
    return answers;
  }
}
