/**
 * What requests and responses are made of, as latin1 text: what is usual, and what parsers have been known to disagree on
 * (RFC 9112 section 11, and the request smuggling literature). Tables, so left as they are laid out.
 */
// prettier-ignore
export const methods = {
  usual: ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'],
  odd: [
    'TRACE', 'CONNECT', 'PROPFIND', 'M-SEARCH', 'PURGE', 'QUERY', 'PRI', 'get', 'Get', 'FOO', 'X_Y', 'G', "A!#$%&'*+-.^_`|~9", 'GET\t', ' GET',
    'GE T', 'GET\0', 'G\xc9T', 'GET:', '(GET)', '', 'A'.repeat(32), 'A'.repeat(33), 'HTTP/1.1', 'SOURCE', 'DESCRIBE',
  ],
} as const;

// prettier-ignore
export const targets = {
  usual: ['/', '/a', '/a/b?c=d&e', '/p%20q?x=%2F', '/a;v=1', '/?', '/%e2%82%ac', '/~u/*', '/a:b@c', "/!$&'()*+,;="],
  odd: [
    '*', '//', '//a/b', '///', 'a', 'a/b', '?a', '', '/a b', '/a\tb', '/a\0', '/a#f', '#', '/\x7f', '/\x80', '/\xff', '/a\rb', '/a\nb', '/"<>\\^`{|}',
    '/..', '/../a', '/a/../b', '/./a', '/%2e%2e/a', '/a%00b', '/%', '/%zz', '/a%2fb', '/a\\b', '/a?b?c', '/a?#', 'http://a/b', 'http://a', 'http://a?b',
    'HTTP://A/b', 'https://a/', 'http://b/c', 'http://a:80/b', 'http://a:/b', 'http://u@a/b', 'http://[::1]/b', 'http:///b', 'http:/b', 'http:b', 'http://',
    'ftp://a/b', 'ws://a/b', 'a:80', 'a.example:443', '/http://b/', 'http://a\\b/', 'http://a%2fb/', '/a HTTP/1.1', '/a HTTP/1.0', '/' + 'x'.repeat(300), '/?' + 'q'.repeat(300),
  ],
} as const;

// prettier-ignore
export const versions = {
  usual: ['HTTP/1.1'],
  odd: [
    'HTTP/1.0', 'HTTP/1.0', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/2', 'HTTP/1', 'http/1.1', 'HTTP/1.1 ', 'HTTP/01.1', 'HTTP/1.10', 'HTTP/1.', 'HTTP /1.1', 'HTTP/1 .1',
    'HTTP/1.1\t', 'HTTP/\x31.1\0', 'HTTP/9.9', 'HTTPS/1.1', 'ICE/1.0', 'RTSP/1.0', '', 'HTTP/1.1 HTTP/1.1', 'HTTP/11', 'XTTP/1.1',
  ],
} as const;

// prettier-ignore
export const hosts = {
  usual: ['a', 'a', 'a.example', 'a:80', 'a.example:8080', '[::1]', '[::1]:80', '127.0.0.1'],
  odd: [
    '', ' ', 'A', 'b', 'a b', 'a,b', 'a, b', 'a/b', 'a?b', 'a#b', 'a@b', 'a:b', 'a:', 'a:0', 'a:99999', 'a:999999', 'a:80:80', ':80', '[::1', '::1', '[]', '[a]', '[::1]a', 'a\0', 'a\x80', 'a\tb',
    'a%00', 'a%2e', 'a_b', 'a..b', '.a', 'a.', '-', '*', '"a"', '<a>', 'a\\b', 'a;b', '(a)', 'x'.repeat(255), 'a\r\n b', 'http://a', 'a\xa0', '\x85a',
  ],
} as const;

/** The blank between a name's colon and the value, and what may stand there instead. */
// prettier-ignore
export const colons = { usual: [': '], odd: [':', ':  ', ':\t', ': \t ', ' :', ' : ', '\t:', ':\0', ':\x0b', ':\x0c', ':\r\n ', '\r\n:', ':\xa0', '', ' ', '::', ': :', '\0:'] } as const;

// prettier-ignore
export const lineEnds = { usual: ['\r\n'], odd: ['\n', '\r', '\r\r\n', '\n\r', '\r\n\r', '\0\r\n', ' \r\n', '\t\r\n', '\r \n', '\x0b\r\n', '\x85', '\r\n ', '\r\n\t', '\\r\\n', '\r\n\r\n'] } as const;

// prettier-ignore
export const fieldNames = {
  usual: ['Accept', 'User-Agent', 'Cookie', 'X-A', 'x-b', 'Accept-Encoding', 'Content-Type', 'Authorization', 'If-None-Match', 'X-Forwarded-For', 'Via', 'X-Request-Id', 'Origin', 'Referer', 'Range'],
  odd: [
    '', ' ', ' X-A', 'X-A ', 'X A', 'X\0A', 'X\tA', 'X\x7fA', 'X\x80', '\xefX', 'X(A)', 'X"A"', 'X/A', 'X;A', 'X=A', 'X,A', '[X]', '{X}', 'X\rA', 'X\nA', "!#$%&'*+-.^_`|~", 'X_A', 'x.a', '9', 'GET / HTTP/1.1',
    'Content_Length', 'Content-Length\0', 'Transfer_Encoding', 'Transfer-Encoding\x0b', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Real-IP', 'Forwarded', 'Proxy', 'Trailer', 'Max-Forwards', 'X'.repeat(300),
  ],
} as const;

// prettier-ignore
export const fieldValues = {
  usual: ['b', '*/*', 'a, b;q=0.5', 'x y  z', '"quoted, text"', 'k=v; l=w', '', '1', 'text/plain', 'W/"x"', '\xe9t\xe9', 'a\tb', 'chunked', '5'],
  odd: [
    '\0', 'a\0b', 'a\rb', 'a\nb', 'a\r\n b', 'a\r\n\tb', '\x01', '\x08', '\x0b', '\x0c', '\x1b', '\x1f', 'a\x7f', '\x80\xff', ' \t ', '\t', 'a \t', 'a\r', 'a\n', 'HTTP/1.1 200 OK', 'x\r\nX-Injected: y', 'x\nX-Injected: y', 'x\rX-Injected: y',
    'y'.repeat(500), ',', ',,', ':', '()<>@,;:\\"/[]?={}', '%0d%0aX: y', '\xc4\x80',
  ],
} as const;

// prettier-ignore
export const contentLengths = [
  '0', '00', '+N', '-N', ' N', 'N ', '\tN', '0N', '000N', 'N,N', 'N, N', 'N,', ',N', 'N N', 'N;', 'N.0', '0xN', 'Ne0', '"N"', '', ' ', '-1', '-0', '1e1', 'a', 'Na', 'N\0', '\0N', 'N\x0b', '\x0cN', 'N\r\n N', 'N\xa0', '\xb9',
  '2147483648', '4294967296', '9007199254740993', '18446744073709551616', '18446744073709551615', '99999999999999999999', '999999999999999', '1000000000000000', 'N\tN', '1_0', "1'0", '0b1', '0o7',
];

// prettier-ignore
export const transferEncodings = [
  'chunked', 'Chunked', 'CHUNKED', ' chunked', 'chunked ', '\tchunked', 'chunked\t', 'xchunked', 'chunkedx', 'chunk', 'chunked,', ',chunked', ', chunked', 'chunked, chunked', 'chunked,chunked', 'chunked, identity', 'identity, chunked', 'identity', 'gzip', 'gzip, chunked', 'chunked, gzip', 'deflate,chunked',
  '"chunked"', "'chunked'", 'chunked;q=1', 'chunked; a=b', 'chunked\0', '\0chunked', '\x0bchunked', 'chunked\x0b', '\x0cchunked', '\xa0chunked', 'chunked\xa0', 'chun\0ked', 'chun ked', 'chun\tked', 'chunked\r\n ', '\r\n chunked', 'c\rhunked', 'chunked\r', 'chunked\n', '', ' ', 'none', 'br', 'x', 'chu\xeeked', 'chun\xffed', 'trailers, chunked', 'chunked chunked', '[chunked]',
];

// prettier-ignore
export const transferEncodingNames = ['Transfer-Encoding', 'transfer-encoding', 'TRANSFER-ENCODING', 'Transfer-Encoding ', ' Transfer-Encoding', 'Transfer-Encoding\t', 'Transfer\r\n-Encoding', 'Transfer_Encoding', 'Transfer-Encoding\0', 'Transfer-Encoding\x0b', 'X\nTransfer-Encoding', 'X\rTransfer-Encoding', 'Transfer-Encodin\xe7', 'TE', 'Proxy-Transfer-Encoding'];

// prettier-ignore
export const connections = ['keep-alive', 'close', 'Close', 'Keep-Alive', 'close, keep-alive', 'keep-alive, close', 'Content-Length', 'Transfer-Encoding', 'Host', 'close, Content-Length', 'Content-Length, Transfer-Encoding, Host', 'X-A', 'x-b, close', 'Upgrade', 'upgrade, x-a', 'Upgrade, HTTP2-Settings', 'TE', 'Cookie', 'Via', 'X-Forwarded-For', 'Connection', '', ',', ', ,', 'close;a=b', '"close"', 'close close', 'c\0lose', 'clo se', '\xa0close', '\xa0X-A', 'X-A\xa0', '\x0bX-A', 'x-b ,\tX-A', 'Authorization', 'Expect', 'Trailer', 'Proxy-Connection'];

// prettier-ignore
export const otherHopFields = [
  'Expect: 100-continue', 'Expect: 100-Continue', 'Expect: 200-ok', 'Expect:', 'Expect: 100-continue, x', 'TE: trailers', 'TE: gzip', 'TE: trailers, deflate;q=0.5', 'TE: chunked', 'Keep-Alive: timeout=5', 'Keep-Alive: timeout=0, max=1', 'Upgrade: websocket', 'Upgrade: h2c', 'Upgrade: TLS/1.0, websocket', 'Upgrade:', 'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Proxy-Connection: keep-alive', 'Proxy-Connection: close', 'Proxy-Authorization: Basic eDp5', 'Proxy-Authenticate: Basic', 'Trailer: X-T', 'Trailer: Content-Length', 'Upgrade: websocket\r\nConnection: Upgrade', 'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__', 'Content-Encoding: gzip', 'Max-Forwards: 0',
];

// prettier-ignore
export const chunkSizes = ['+N', '-N', '0xN', ' N', 'N ', 'N\t', '\tN', '0N', '00000000N', '0000000000000N', 'N;', 'N ;a', 'N; a=b', 'N;a="b;c"', 'N;a="\\""', 'N;\0', 'N;a\x7f', 'N;\n', 'N;a\rb', 'N;a\nb', 'N\0', 'N,', 'N.', 'Ng', 'g', '', '-1', 'N\x0b', 'N;' + 'e'.repeat(600), 'ffffffffffffffff', '10000000000000000', 'fffffffffffffffe', '7fffffffffffffff', 'ffffffff', '100000000', 'N_0', 'N N', '"N"', 'N;a=\xff', 'N;a="', 'N=1', 'N#'];

// prettier-ignore
export const chunkEnds = ['\n', '\r', '', '\r\r\n', '\n\r\n', 'x\r\n', ' \r\n', '\r\n\r\n', '\0\r\n', '\r\nx'];

// prettier-ignore
export const trailers = ['X-T: 1', 'X-T: 1', 'X-T:', 'x-t: a b', 'Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: b', 'Connection: close', 'X-T : 1', ' X-T: 1', 'X-T', ': 1', 'X-T: \0', 'X-T: a\r\n b', 'X-T: a\rb', 'Authorization: x', 'GET /smuggled HTTP/1.1', 'X-Ü: 1', 'X-T: ' + 't'.repeat(300), 'Trailer: x', 'Set-Cookie: a=b', 'TE: x', 'Expect: 100-continue', 'Upgrade: x'];

// prettier-ignore
export const bodies = ['', 'x', 'hello', 'hello world', '0\r\n\r\n', '\r\n', '\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n', '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '\0\x01\xff\x80\n\r', 'a'.repeat(300), '5\r\nhello\r\n0\r\n\r\n', 'X: y\r\n'];
