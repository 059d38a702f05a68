import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a process shows on its ops port. */
export interface OpsPages {
  /** Whether traffic should come here, and why or why not. */
  ready(): { readonly ready: boolean; readonly detail: Readonly<Record<string, unknown>> };
  /** Prometheus text format. */
  metrics(): string | Promise<string>;
  /** Pages under /debug/, by name; each gives something that JSON can hold, or the promise of it. */
  readonly debug: Readonly<Record<string, () => unknown>>;
  /** The OpenAPI document of what is transcoded at a host, for a process that serves it. */
  openApi?(request: OpenApiRequest): Promise<{ readonly status: number; readonly text: string }>;
}

interface OpenApiRequest {
  readonly host: string;
  readonly version: '3.1' | '2.0';
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves /livez, /readyz, /metrics, /debug/… and a node's /openapi.json; off the request path, so it may be made of library parts. */
export async function serveOps(pages: OpsPages, host: string, port: number): Promise<OpsServer> {
  const server = createServer((request, response) => {
    answer(pages, request, response).catch((error: unknown) => text(response, 500, `${String(error)}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(pages: OpsPages, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'GET only\n');
  if (path === '/livez') return text(response, 200, 'ok\n');
  if (path === '/metrics')
    return text(response, 200, await pages.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
  if (path === '/readyz') {
    const { ready, detail } = pages.ready();
    return json(response, ready ? 200 : 503, { ready, ...detail });
  }
  const page = path.startsWith('/debug/') ? pages.debug[path.slice('/debug/'.length)] : undefined;
  if (page !== undefined) return json(response, 200, await page());
  if (path === '/openapi.json' && pages.openApi !== undefined) {
    const asked = openApiRequest(request.url ?? '');
    if (typeof asked === 'string') return text(response, 400, `${asked}\n`);
    const { status, text: document } = await pages.openApi(asked);
    return text(response, status, `${document}\n`, 'application/json');
  }
  const names = Object.keys(pages.debug).map((name) => `/debug/${name}`);
  const openApi = pages.openApi === undefined ? [] : ['/openapi.json?host=HOST&version=3.1'];
  return text(response, 404, `${['/livez', '/readyz', '/metrics', ...openApi, ...names].join('\n')}\n`);
}

const hostForm = /^([A-Za-z0-9._*-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?)?$/;

/** What is asked for, or what is wrong with it. */
function openApiRequest(url: string): OpenApiRequest | string {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  const version = query.get('version') ?? '3.1';
  const host = query.get('host') ?? '';
  if (version !== '3.1' && version !== '2.0') return 'version is 3.1 or 2.0';
  return hostForm.test(host) ? { host, version } : 'host is a name or address, with a port or without';
}

function json(response: ServerResponse, status: number, body: unknown): void {
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
  text(response, status, `${JSON.stringify(body, plain, 2)}\n`, 'application/json');
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
