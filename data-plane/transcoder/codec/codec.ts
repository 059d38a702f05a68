import type { Field, MessageType } from '../schema/types.js';
import { ArgumentError } from './errors.js';
import { pathAt } from './json-path.js';
import { JsonFault } from './json-source.js';
import { JsonToWire } from './json-to-wire.js';
import { printAny } from './print-known.js';
import { messageAt, printFieldValue } from './print-scattered.js';
import { Tables, type MessageTable } from './table.js';
import { WireToJson, type Emission } from './wire-to-json.js';
import { WireWriter } from './writer.js';

export interface ReadOptions {
  /** Passes over fields that the message does not have, and enum names that the enum does not have (PJ2, PJ5). */
  readonly ignoreUnknown: boolean;
  /** Sends zero values of fields without presence as well, so that they win over what stands before them on the wire. */
  readonly keepZeros: boolean;
}

/**
 * JSON to protobuf wire bytes and back for the messages of one schema, with no message object between. Everything is
 * synchronous and one call is over before the next begins, so one reader and one printer serve all.
 */
export class Codecs {
  readonly #tables = new Tables();
  readonly #reader: JsonToWire;
  readonly #printer: WireToJson;
  readonly #out = new WireWriter();

  /** `find` looks a type up by its full name, for the contents of Any. */
  constructor(find: (typeName: string) => MessageType | undefined) {
    const resolve = (typeName: string): MessageTable | undefined => {
      const type = find(typeName);
      return type === undefined ? undefined : this.#tables.message(type);
    };
    this.#reader = new JsonToWire(resolve);
    this.#printer = new WireToJson(resolve);
  }

  /** The wire form of a message. Throws ArgumentError with the path and offset of what does not fit; repeats no value. */
  read(type: MessageType, json: Uint8Array, options: ReadOptions): Uint8Array {
    const out = this.#out;
    out.pos = 0;
    this.readInto(out, type, json, options);
    const wire = out.copy();
    out.release();
    return wire;
  }

  /** The same, written behind what `out` holds. */
  readInto(out: WireWriter, type: MessageType, json: Uint8Array, options: ReadOptions): void {
    const reader = this.#reader;
    reader.begin(json, out, options.ignoreUnknown, options.keepZeros);
    try {
      reader.message(this.#tables.message(type));
      reader.end();
    } catch (error) {
      reader.source.unload();
      throw argumentError(error, json);
    }
  }

  /** The same for the value of one field of `type`, written with its tag. */
  readFieldInto(out: WireWriter, type: MessageType, field: Field, json: Uint8Array, options: ReadOptions): void {
    const reader = this.#reader;
    reader.begin(json, out, options.ignoreUnknown, options.keepZeros);
    try {
      reader.fieldValue(this.#tables.message(type).of(field));
      reader.end();
    } catch (error) {
      reader.source.unload();
      throw argumentError(error, json);
    }
  }

  /** The JSON form of a message. Throws WireFault when the bytes are not a message of the type. */
  print(type: MessageType, wire: Uint8Array, emission: Emission): Uint8Array {
    const printer = this.#printer;
    printer.begin(wire, emission);
    printer.message(this.#tables.message(type), wire.length);
    return printer.end();
  }

  /** The same for an answer of its own: latin1 text, one char per byte, when it is short. */
  printShort(type: MessageType, wire: Uint8Array, emission: Emission): string | Uint8Array {
    const printer = this.#printer;
    printer.begin(wire, emission);
    printer.message(this.#tables.message(type), wire.length);
    return printer.endShort();
  }

  /** The JSON form of the field that `path` leads to, which is not empty: null when a message on the way is not set. */
  printField(type: MessageType, path: readonly Field[], wire: Uint8Array, emission: Emission): Uint8Array {
    const printer = this.#printer;
    const parents = path.slice(0, -1);
    printer.begin(wire, emission);
    const parent = messageAt(printer, this.#tables.message(type), parents);
    const last = parents[parents.length - 1];
    if (parent === null) printer.out.ascii('null');
    else {
      printer.begin(parent, emission);
      printFieldValue(
        printer,
        this.#tables.message(last === undefined ? type : last.message()),
        path[path.length - 1] as Field,
      );
    }
    return printer.end();
  }

  /** The JSON form of a packed Any, which keeps its bytes in base64 when its type is not in the schema (PJ11). */
  printAny(typeUrl: string, value: Uint8Array, emission: Emission): Uint8Array {
    const any = new WireWriter(value.length + typeUrl.length + 16);
    any.tag(1, 2);
    any.string(typeUrl);
    any.tag(2, 2);
    any.bytes(value);
    const printer = this.#printer;
    printer.begin(any.copy(), emission);
    printAny(printer, any.pos);
    return printer.end();
  }

  /** The wire form of the message that `path` leads to, or null when it is not set. */
  messageAt(type: MessageType, path: readonly Field[], wire: Uint8Array): Uint8Array | null {
    this.#printer.begin(wire, 'set');
    return messageAt(this.#printer, this.#tables.message(type), path);
  }
}

function argumentError(error: unknown, json: Uint8Array): unknown {
  if (!(error instanceof JsonFault)) return error;
  return new ArgumentError(pathAt(json, error.offset), error.message, error.offset);
}
