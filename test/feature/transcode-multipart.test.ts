import { describe, expect, test } from 'vitest';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { TranscodedServices } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;

const proto = `
syntax = "proto3";
package parts.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
message Photo {
  string album = 1; string title = 2; bytes image = 3; google.api.HttpBody original = 4; repeated string tags = 5; Place place = 6; int64 size = 7;
}
message Place { double lat = 1; }
message Reply { string id = 1; }
service Photos {
  rpc Add(Photo) returns (Reply) { option (google.api.http) = { post: "/v1/albums/{album}/photos" body: "*" }; }
  rpc Put(Photo) returns (Reply) { option (google.api.http) = { put: "/v1/albums/{album}/place" body: "place" }; }
  rpc Raw(google.api.HttpBody) returns (Reply) { option (google.api.http) = { post: "/v1/raw" body: "*" }; }
}`;
const photos = (profile = TranscodeProfile.GRPC_GATEWAY) => services.start(proto, 'parts.v1.Photos', { profile });

/** As fetch and browsers write it. */
async function encoded(form: FormData): Promise<{ headers: Record<string, string>; body: Uint8Array }> {
  const response = new Response(form);
  const type = response.headers.get('content-type') ?? '';
  return { headers: { 'content-type': type }, body: new Uint8Array(await response.arrayBuffer()) };
}

const plain = (text: string, type = 'multipart/form-data; boundary=B') => ({
  headers: { 'content-type': type },
  body: Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1'),
});

describe('BD15 a multipart form', () => {
  test.each([TranscodeProfile.GRPC_GATEWAY, TranscodeProfile.ENVOY, TranscodeProfile.STRICT])(
    'BD15 gives fields by its parts: texts, lists, files as bytes and as HttpBody (profile %i)',
    async (profile) => {
      const { url, calls } = await photos(profile);
      const form = new FormData();
      form.append('title', 'né + "x" & y');
      form.append('tags', 'a');
      form.append('tags', 'b');
      form.append('place.lat', '1.5');
      form.append('size', '9007199254740993');
      form.append('image', new Blob([Uint8Array.of(0, 13, 10, 255, 45, 45)]), 'i.png');
      form.append('original', new Blob(['raw'], { type: 'image/x-raw' }), 'o.raw');

      const answer = await client.send(`${url}/v1/albums/7/photos`, { method: 'POST', ...(await encoded(form)) });

      expect(answer.status).toBe(200);
      expect(calls[0]?.message).toEqual({
        album: '7',
        title: 'né + "x" & y',
        tags: ['a', 'b'],
        place: { lat: 1.5 },
        size: '9007199254740993',
        image: Buffer.from([0, 13, 10, 255, 45, 45]).toString('base64'),
        original: { contentType: 'image/x-raw', data: Buffer.from('raw').toString('base64') },
      });
    },
  );

  test('BD15 names fields of the request where the body is one of them, as a form does, beside the query', async () => {
    const { url, calls } = await photos();
    const form = new FormData();
    form.append('place.lat', '2');
    form.append('title', 'T');

    await client.send(`${url}/v1/albums/7/place?tags=q`, { method: 'PUT', ...(await encoded(form)) });

    expect(calls[0]?.message).toEqual({ album: '7', title: 'T', tags: ['q'], place: { lat: 2 } });
  });

  test('BD15 the path wins over a part', async () => {
    const { url, calls } = await photos();
    const form = new FormData();
    form.append('album', 'other');

    await client.send(`${url}/v1/albums/7/photos`, { method: 'POST', ...(await encoded(form)) });

    expect(calls[0]?.message).toEqual({ album: '7' });
  });

  test('BD15 a large file is taken whole, and one over the limit is a 413', async () => {
    const { url, calls } = await photos();
    const send = async (bytes: number) => {
      const form = new FormData();
      form.append('image', new Blob([new Uint8Array(bytes).fill(251)]), 'i');
      return client.send(`${url}/v1/albums/7/photos`, { method: 'POST', ...(await encoded(form)) });
    };

    expect((await send(4_000_000)).status).toBe(200);
    expect(Buffer.from(String(calls[0]?.message['image']), 'base64').equals(Buffer.alloc(4_000_000, 251))).toBe(true);
    expect((await send(4_200_000)).status).toBe(413);
  });

  test('BD15, HB1 an HttpBody takes it as the bytes that it is', async () => {
    const { url, calls } = await photos();
    const form = plain('--B\nContent-Disposition: form-data; name="a"\n\nx\n--B--\n');

    await client.send(`${url}/v1/raw`, { method: 'POST', ...form });

    expect(calls[0]?.message).toEqual({
      contentType: form.headers['content-type'],
      data: form.body.toString('base64'),
    });
  });

  test.each([
    ['without parts', '--B--\n', {}],
    [
      'with something before and behind',
      'x\n--B\nContent-Disposition: form-data; name=title\n\nT\n--B--\nignored',
      { title: 'T' },
    ],
    ['with blanks behind a boundary', '--B \t\ncontent-disposition:form-data;name="title"\n\nT\n--B--', { title: 'T' }],
    [
      'with something like a boundary in a part',
      '--B\nContent-Disposition: form-data; name="title"\n\na--B\n--B--',
      { title: 'a--B' },
    ],
    ['with an empty part', '--B\nContent-Disposition: form-data; name="title"\n\n\n--B--', {}],
  ])('BD15 %s', async (_what, text, expected) => {
    const { url, calls } = await photos();

    const answer = await client.send(`${url}/v1/albums/7/photos`, { method: 'POST', ...plain(text) });

    expect(answer.status).toBe(200);
    expect(calls[0]?.message).toEqual({ album: '7', ...expected });
  });

  test.each([
    ['no boundary in the type', plain('--B--', 'multipart/form-data')],
    ['no end', plain('--B\nContent-Disposition: form-data; name="title"\n\nT\n')],
    ['no boundary in the body', plain('x')],
    ['a part without a name', plain('--B\nContent-Disposition: form-data\n\nT\n--B--')],
    ['a header without an end', plain('--B\nContent-Disposition: form-data; name="title"\nT\n--B--')],
    ['a boundary that goes on', plain('--B\nContent-Disposition: form-data; name="title"\n\nT\n--Bx\n--B--')],
    ['a value that does not fit', plain('--B\nContent-Disposition: form-data; name="size"\n\nmany\n--B--')],
    ['text that is no UTF-8', plain('--B\nContent-Disposition: form-data; name="title"\n\n\xff\n--B--')],
    ['a single field twice', plain(`${'--B\nContent-Disposition: form-data; name="title"\n\nT\n'.repeat(2)}--B--`)],
    ['too many parts', plain(`${'--B\nContent-Disposition: form-data; name="tags"\n\nT\n'.repeat(1_001)}--B--`)],
  ])('BD15 %s is a 400', async (_what, sent) => {
    const { url, calls } = await photos();

    const answer = await client.send(`${url}/v1/albums/7/photos`, { method: 'POST', ...sent });

    expect(answer.status).toBe(400);
    expect(answer.body).toContain('BadRequest');
    expect(calls).toEqual([]);
  });
});

describe('bodies of one field', () => {
  const fields = `
syntax = "proto3";
package fields.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
enum Color { NONE = 0; RED = 1; }
message In {
  string text = 1; Color color = 2; repeated int32 list = 3; map<string, int32> map = 4; google.protobuf.Timestamp time = 5;
  oneof one { string left = 6; int32 right = 7; } Inner inner = 8;
}
message Inner { Inner inner = 1; string id = 2; }
message Out {}
service Fields {
  rpc Set(In) returns (Out) { option (google.api.http) = { post: "/text" body: "text"
    additional_bindings { post: "/color" body: "color" } additional_bindings { post: "/list" body: "list" }
    additional_bindings { post: "/map" body: "map" } additional_bindings { post: "/time" body: "time" }
    additional_bindings { post: "/left" body: "left" } additional_bindings { post: "/deep" body: "inner.inner" }
    additional_bindings { post: "/deeper" body: "inner.inner.id" } }; }
}`;

  test.each([
    ['BD6', '/text', '"x"', { text: 'x' }],
    ['BD6', '/color', '"RED"', { color: 'RED' }],
    ['BD6', '/color', '1', { color: 'RED' }],
    ['BD6', '/list', '[1,2]', { list: [1, 2] }],
    ['BD6', '/map', '{"a":1}', { map: { a: 1 } }],
    ['BD6', '/time', '"2020-01-01T00:00:00Z"', { time: '2020-01-01T00:00:00Z' }],
    ['BD6', '/left', '""', { left: '' }],
    ['BD3', '/deep', '{"id":"x"}', { inner: { inner: { id: 'x' } } }],
    ['BD3', '/deeper', '"x"', { inner: { inner: { id: 'x' } } }],
  ])('%s the body of %s is %s', async (_id, path, body, expected) => {
    const { url, calls } = await services.start(fields, 'fields.v1.Fields');

    const answer = await client.send(url + path, { method: 'POST', body });

    expect(answer.status).toBe(200);
    expect(calls[0]?.message).toEqual(expected);
  });
});
