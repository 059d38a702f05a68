import { joined } from '../../joined.js';
import type { Cursor } from './cursor.js';
import { limits, plainName, quote } from './limits.js';
import { fullName, type Place } from './linked.js';
import { SchemaError, type MessageType, type Method, type ServiceType } from './types.js';

const methodName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
/** Extension 72295728 of MethodOptions is google.api.http, whether or not the set declares it (DS3). */
const httpOptionTag = 72_295_728 * 8 + 2;

/** Reads a ServiceDescriptorProto. */
export function readService(place: Place, cursor: Cursor): ServiceType {
  const methods: Method[] = [];
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x12) methods.push(readMethod(place, cursor.part()));
    else cursor.skip(tag);
    if (methods.length > limits.methods)
      throw new SchemaError(place.file, place.name, `the service has more than ${limits.methods} methods`);
  }
  const names = new Set<string>();
  for (const { name } of methods) {
    if (names.has(name)) throw new SchemaError(place.file, place.name, `method ${name} stands twice`);
    names.add(name);
  }
  return { name: place.name, file: place.file, methods };
}

interface RawMethod {
  name: string;
  input: string;
  output: string;
  clientStreaming: boolean;
  serverStreaming: boolean;
  httpRule: Uint8Array | null;
}

function readMethod(place: Place, cursor: Cursor): Method {
  const { linker, file, name: service } = place;
  const raw = readRawMethod(cursor);
  const { name, clientStreaming, serverStreaming, httpRule } = raw;
  const input = fullName(place, raw.input);
  const output = fullName(place, raw.output);
  if (!methodName.test(name)) {
    throw new SchemaError(file, service, `${quote(name)} is not a method name`);
  }
  const resolve = (typeName: string): MessageType => {
    const found = linker.message(typeName);
    if (found === undefined)
      throw new SchemaError(file, `${service}.${name}`, `its message ${plainName(typeName)} is not in the set`);
    return found;
  };
  return {
    name,
    service,
    file,
    path: `/${service}/${name}`,
    clientStreaming,
    serverStreaming,
    httpRule,
    inputName: input,
    outputName: output,
    input: () => resolve(input),
    output: () => resolve(output),
  };
}

function readRawMethod(cursor: Cursor): RawMethod {
  const raw: RawMethod = {
    name: '',
    input: '',
    output: '',
    clientStreaming: false,
    serverStreaming: false,
    httpRule: null,
  };
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case 0x0a:
        raw.name = cursor.string();
        break;
      case 0x12:
        raw.input = cursor.string();
        break;
      case 0x1a:
        raw.output = cursor.string();
        break;
      case 0x22:
        raw.httpRule = readHttpOption(cursor.part(), raw.httpRule);
        break;
      case 0x28:
        raw.clientStreaming = cursor.varint() !== 0;
        break;
      case 0x30:
        raw.serverStreaming = cursor.varint() !== 0;
        break;
      default:
        cursor.skip(tag);
    }
  }
  return raw;
}

function readHttpOption(options: Cursor, before: Uint8Array | null): Uint8Array | null {
  let rule = before;
  for (let tag = options.tag(); tag !== 0; tag = options.tag()) {
    // Joined encodings of a message are the encoding of the merged message.
    if (tag === httpOptionTag) rule = rule === null ? options.bytes() : joined([rule, options.bytes()]);
    else options.skip(tag);
  }
  return rule;
}
