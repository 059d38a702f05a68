/** The proto of all payloads, as text: each system compiles it in its own way. */
export const source = `syntax = "proto3";
package bench.v1;

message Int32Array { repeated int32 payload = 1; }
message StringArray { repeated string payload = 1; }
message DoubleArray { repeated double payload = 1; }
message Nested {
  oneof node {
    Nested nested = 1;
    string payload = 2;
  }
}

enum Status { STATUS_UNSPECIFIED = 0; STATUS_PAID = 1; STATUS_SHIPPED = 2; }
message Money { string currency = 1; int64 units = 2; int32 nanos = 3; }
message Item {
  string sku = 1;
  string title = 2;
  int32 quantity = 3;
  Money price = 4;
  repeated string tags = 5;
  bool gift = 6;
}
message Customer { string name = 1; string email = 2; int64 account = 3; }
message Order {
  string name = 1;
  Customer customer = 2;
  Status status = 3;
  repeated Item items = 4;
  map<string, string> labels = 5;
  double discount = 6;
  string create_time = 7;
}
`;

export interface Payload {
  readonly name: string;
  /** Full name of its message. */
  readonly type: string;
  /** As protobuf-es prints it: fields in order, no blanks, nothing that is unset. */
  readonly json: string;
}

/**
 * The payloads that grpc-httpjson-transcoding's own benchmark has (arrays of 1,024, a message nested 31 times and not at all),
 * and an order as a shop has it; some arrays once more with values as services have them.
 */
export const payloads: readonly Payload[] = [
  array('int32', 'Int32Array', (i) => i % 10),
  array('string', 'StringArray', (i) => String.fromCharCode(97 + (i % 26))),
  array('double', 'DoubleArray', (i) => i % 10),
  nested(31),
  nested(0),
  order(1),
  order(50),
  array('int32-wide', 'Int32Array', (i) => (Math.imul(i + 1, 0x9e3779b1) >> (i % 24)) | 0),
  array('string-words', 'StringArray', (i) => `subject number ${i * 7_919}`),
  array('double-fractions', 'DoubleArray', (i) => Math.round(Math.sin(i + 1) * 1e6) / 1e4),
];

function array(kind: string, type: string, value: (i: number) => unknown): Payload {
  const payload = Array.from({ length: 1_024 }, (_, i) => value(i));
  return { name: `${kind}-1024`, type: `bench.v1.${type}`, json: JSON.stringify({ payload }) };
}

function nested(levels: number): Payload {
  const innermost = JSON.stringify({ payload: 'Hello, transcoder' });
  const json = '{"nested":'.repeat(levels) + innermost + '}'.repeat(levels);
  return { name: `nested-${levels}`, type: 'bench.v1.Nested', json };
}

/** An order of so many items, as a shop has it. */
export function order(count: number): Payload {
  const items = Array.from({ length: count }, (_, i) => ({
    sku: `SKU-${10_000 + i}`,
    title: `Article number ${i} of the catalogue`,
    quantity: 1 + (i % 5),
    price: { currency: 'EUR', units: String(12 + i), nanos: 990_000_000 },
    tags: ['new'],
  }));
  const value = {
    name: 'shops/7/orders/1234567',
    customer: { name: 'Ada Lovelace', email: 'ada@example.com', account: '9007199254740993' },
    status: 'STATUS_PAID',
    items,
    labels: { channel: 'web' },
    discount: 2.5,
    createTime: '2026-11-21T17:25:00Z',
  };
  return { name: `order-${count}`, type: 'bench.v1.Order', json: JSON.stringify(value) };
}
