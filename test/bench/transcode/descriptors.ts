import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../deploy/package-file.js';
import { buildDescriptors } from '../../support/descriptors.js';
import { source } from '../codec/payloads.js';

/** The services of the bench; the demo's bookstore has no message within a message. */
export const services = ['bookstore.v1.Bookstore', 'bench.v1.Shop'];

const shop = `syntax = "proto3";
package bench.v1;
import "bench.proto";
import "google/api/annotations.proto";

service Shop {
  rpc CreateOrder(CreateOrderRequest) returns (Order) {
    option (google.api.http) = {post: "/v1/shops/{shop}/orders" body: "order"};
  }
  rpc ImportOrder(CreateOrderRequest) returns (Order) {
    option (google.api.http) = {post: "/v1/shops/{shop}/orders:import" body: "order"};
  }
}
message CreateOrderRequest { string shop = 1; Order order = 2; }
`;

export interface DescriptorFile {
  readonly path: string;
  readonly set: Uint8Array;
  remove(): Promise<void>;
}

/** One descriptor set with both services, as a file for every system that transcodes. */
export async function writeDescriptors(): Promise<DescriptorFile> {
  const bookstore = 'bookstore/v1/bookstore.proto';
  const set = buildDescriptors({
    [bookstore]: await readFile(packageFile(`deploy/demo/proto/${bookstore}`), 'utf8'),
    'bench.proto': source,
    'shop.proto': shop,
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const path = join(folder, 'set.binpb');
  await writeFile(path, set);
  return { path, set, remove: () => rm(folder, { recursive: true, force: true }) };
}
