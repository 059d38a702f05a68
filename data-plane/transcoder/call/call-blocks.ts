import { FieldBlock, type HeaderList } from '../../headers.js';
import { addRequestMetadata } from './metadata.js';

/**
 * The fields that calls have in common: gRPC's own, and the metadata that becomes of what the gateway says of a request. That is
 * the same for nearly all requests of a client, so it is made once for each, and may be coded once.
 */
export class CallBlocks {
  readonly #plain = new WeakMap<FieldBlock, FieldBlock>();
  readonly #prefixed = new WeakMap<FieldBlock, FieldBlock>();

  blockFor(added: FieldBlock, plainNames: boolean, acceptedEncodings: string): FieldBlock {
    const blocks = plainNames ? this.#plain : this.#prefixed;
    let block = blocks.get(added);
    if (block === undefined) {
      block = new FieldBlock(callFields(added.fields, plainNames, acceptedEncodings));
      blocks.set(added, block);
    }
    return block;
  }
}

function callFields(added: HeaderList, plainNames: boolean, acceptedEncodings: string): HeaderList {
  const fields = ['te', 'trailers', 'content-type', 'application/grpc', 'grpc-accept-encoding', acceptedEncodings];
  addRequestMetadata(added, plainNames, fields);
  return fields;
}
