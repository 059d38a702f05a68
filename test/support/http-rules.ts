import { create, setExtension, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';

import { http } from '../../proto/gen/google/api/annotations_pb.js';
import { HttpRuleSchema } from '../../proto/gen/google/api/http_pb.js';

import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

/** An initializer, never a message. */
type InitOf<D extends DescMessage> = Exclude<MessageInitShape<D>, MessageShape<D>>;
type Rule = InitOf<typeof HttpRuleSchema>;
export type FileInit = InitOf<typeof FileDescriptorProtoSchema>;

/** `books.proto` with the service books.v1.Books: one method per rule, Get1, Get2, …; null is a method without a rule. */
export function bookFile(rules: readonly (Rule | null)[]): FileInit {
  return {
    name: 'books.proto',
    package: 'books.v1',
    syntax: 'proto3',
    messageType: [
      {
        name: 'Book',
        field: [
          { name: 'id', number: 1, label: Label.OPTIONAL, type: Type.INT64, jsonName: 'id' },
          { name: 'title', number: 2, label: Label.OPTIONAL, type: Type.STRING, jsonName: 'title' },
          {
            name: 'sequel',
            number: 3,
            label: Label.OPTIONAL,
            type: Type.MESSAGE,
            typeName: '.books.v1.Book',
            jsonName: 'sequel',
          },
        ],
      },
    ],
    service: [
      {
        name: 'Books',
        method: rules.map((rule, i) => ({
          name: `Get${i + 1}`,
          inputType: '.books.v1.Book',
          outputType: '.books.v1.Book',
          ...(rule === null ? {} : { options: optionsWith(rule) }),
        })),
      },
    ],
  };
}

function optionsWith(rule: Rule) {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, create(HttpRuleSchema, rule));
  return options;
}

/** A serialized FileDescriptorSet of these files. */
export function descriptorSet(...files: readonly FileInit[]): Uint8Array {
  return toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: files.map((file) => create(FileDescriptorProtoSchema, file)) }),
  );
}

export function bookSet(...rules: readonly (Rule | null)[]): Uint8Array {
  return descriptorSet(bookFile(rules));
}

export function get(path: string): Rule {
  return { pattern: { case: 'get', value: path } };
}
