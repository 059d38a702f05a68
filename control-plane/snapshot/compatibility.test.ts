import { expect, test } from 'vitest';

import { loadSchema } from '../../data-plane/transcoder/transcoder.js';
import { buildDescriptors } from '../../test/support/descriptors.js';
import { compareSchemas } from './compatibility.js';

import type { Schema } from '../../data-plane/transcoder/transcoder.js';

function schemaOf(source: string): Schema {
  const head = 'syntax = "proto3"; package p; import "google/api/annotations.proto";';
  const { schema, problems } = loadSchema(buildDescriptors({ 'p.proto': `${head}\n${source}` }));
  if (schema === null) throw new Error(JSON.stringify(problems));
  return schema;
}

const http = (rule: string): string => `{ option (google.api.http) = { ${rule} }; }`;

const before = schemaOf(`
  enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 2; GREEN = 3; }
  message Inner { string gone = 1; }
  message Book {
    string id = 1; string title = 2; int32 pages = 3; string tag = 4; string moved = 5; string dropped = 6;
    Color color = 7; Inner inner = 8; string plain = 9; string shown = 10; string alone = 11; map<string, Inner> by_name = 12;
  }
  message Unused { string x = 1; }
  message Request { string id = 1; Book book = 2; }
  service Books {
    rpc Get(Request) returns (Book) ${http('get: "/v1/books/{id}" additional_bindings { get: "/v0/books/{id}" }')}
    rpc Put(Request) returns (Book) ${http('put: "/v1/books/{id}" body: "book"')}
    rpc Watch(Request) returns (stream Book);
    rpc Swap(Request) returns (Book) ${http('post: "/v1/swap" body: "*"')}
    rpc Other(Request) returns (Book) ${http('post: "/v1/other" body: "*"')}
    rpc Gone(Request) returns (Book);
    rpc Typed(Request) returns (Book);
  }
  service Old { rpc X(Request) returns (Book); }
`);

const after = schemaOf(`
  enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 4; PINK = 5; }
  message Inner { int32 there = 2; }
  message Book {
    string id = 1; string name = 2; int64 pages = 3; repeated string tag = 4; string moved = 15;
    Color color = 7; Inner inner = 8; optional string plain = 9; string shown = 10 [json_name = "seen"];
    oneof choice { string alone = 11; } map<string, Inner> by_name = 12; string fresh = 16;
  }
  message Unused { int32 y = 2; }
  message Request { string id = 1; Book book = 2; }
  message Answer { Book book = 1; }
  service Books {
    rpc Get(Request) returns (Book) ${http('get: "/v1/books/{id=*}" additional_bindings { get: "/v2/books/{id}" }')}
    rpc Put(Request) returns (Book) ${http('put: "/v1/books/{book.id}" body: "*" response_body: "inner"')}
    rpc Watch(stream Request) returns (stream Book);
    rpc Swap(Request) returns (Book) ${http('post: "/v1/other" body: "*"')}
    rpc Other(Request) returns (Book) ${http('post: "/v1/swap" body: "*"')}
    rpc Typed(Request) returns (Answer);
    rpc Fresh(Request) returns (Book);
  }
  service New { rpc X(Request) returns (Book); }
`);

const lines = (was: Schema, is: Schema): string[] =>
  compareSchemas(was, is).map(
    ({ breaking, symbol, description }) => `${breaking ? '! ' : ''}${symbol}: ${description}`,
  );

test('DS1 what breaks callers comes first, each difference with its symbol', () => {
  const found = lines(before, after);

  expect(found.filter((line) => line.startsWith('!')).toSorted()).toEqual(
    [
      '! p.Old: the service is gone',
      '! p.Books.Gone: the method is gone',
      '! p.Books.Watch: was a server stream and is a bidirectional stream',
      '! p.Books.Typed: its response was p.Book and is p.Answer',
      '! p.Book.title: the field is called name now, which changes its JSON',
      '! p.Book.pages: its type was int32 and is int64',
      '! p.Book.tag: its label was singular and is repeated',
      '! p.Book.moved: its number was 5 and is 15',
      '! p.Book.dropped: the field is gone',
      '! p.Book.shown: its JSON name was shown and is seen',
      '! p.Book.alone: its oneof was none and is choice',
      '! p.Inner.gone: the field is gone',
      '! p.Color.BLUE: its number was 2 and is 4',
      '! p.Color.GREEN: the enum value is gone',
      '! p.Books.Get: GET /v0/books/{id} is not served any more',
      '! p.Books.Put: variables of PUT /v1/books/{book.id} was "id" and is "book.id"',
      '! p.Books.Put: body of PUT /v1/books/{book.id} was "book" and is "*"',
      '! p.Books.Put: response_body of PUT /v1/books/{book.id} was none and is "inner"',
      '! p.Books.Swap: POST /v1/swap calls p.Books.Other now',
      '! p.Books.Other: POST /v1/other calls p.Books.Swap now',
    ].toSorted(),
  );
  expect(found.filter((line) => !line.startsWith('!')).toSorted()).toEqual(
    [
      'p.Books.Fresh: the method is new',
      'p.New: the service is new',
      'p.Book.fresh: the field is new',
      'p.Book.plain: unset can be told from its default now',
      'p.Book.alone: unset can be told from its default now',
      'p.Inner.there: the field is new',
      'p.Color.PINK: the enum value is new',
      'p.Books.Get: GET /v2/books/{id} is new',
    ].toSorted(),
  );
  expect(found.findLastIndex((line) => line.startsWith('!'))).toBeLessThan(
    found.findIndex((line) => !line.startsWith('!')),
  );
});

test('a schema does not differ from itself, and what no service reaches does not matter', () => {
  expect(lines(before, before)).toEqual([]);
  expect(lines(before, after).filter((line) => line.includes('Unused'))).toEqual([]);
});

test('a response of another message counts once, not field by field', () => {
  const was = schemaOf('message A { string a = 1; } message B { string b = 1; } service S { rpc X(A) returns (A); }');
  const is = schemaOf('message A { string a = 1; } message B { string b = 1; } service S { rpc X(A) returns (B); }');

  expect(lines(was, is)).toEqual(['! p.S.X: its response was p.A and is p.B']);
});

test('DS1 what a field that has another name holds is compared as well', () => {
  const was = schemaOf(`
    enum Color { NONE = 0; RED = 1; }
    message Inner { string gone = 1; }
    message Book { Color color = 1; Inner inner = 2; int32 pages = 3; }
    service Books { rpc Get(Book) returns (Book); }`);
  const is = schemaOf(`
    enum Color { NONE = 0; PINK = 1; }
    message Inner { }
    message Book { Color tint = 1; Inner within = 2; int64 leaves = 3; }
    service Books { rpc Get(Book) returns (Book); }`);

  const breaking = lines(was, is).filter((line) => line.startsWith('!'));

  expect(breaking.toSorted()).toEqual(
    [
      '! p.Book.color: the field is called tint now, which changes its JSON',
      '! p.Book.inner: the field is called within now, which changes its JSON',
      '! p.Book.pages: the field is called leaves now, which changes its JSON',
      '! p.Book.pages: its type was int32 and is int64',
      '! p.Color.RED: the enum value is gone',
      '! p.Inner.gone: the field is gone',
    ].toSorted(),
  );
});
