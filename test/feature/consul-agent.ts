/** What tests ask of a Consul agent, over its own HTTP API. */
export class ConsulAgent {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token = '') {
    this.#url = url;
    this.#token = token;
  }

  async register(service: Readonly<Record<string, unknown>>): Promise<void> {
    await this.put('/agent/service/register', service);
  }

  async deregister(id: string): Promise<void> {
    await this.put(`/agent/service/deregister/${id}`);
  }

  async maintain(id: string, enable: boolean, reason = ''): Promise<void> {
    await this.put(`/agent/service/maintenance/${id}?enable=${enable}&reason=${encodeURIComponent(reason)}`);
  }

  async maintainNode(enable: boolean): Promise<void> {
    await this.put(`/agent/maintenance?enable=${enable}`);
  }

  /** Reports the result of a service's TTL check. */
  async check(id: string, result: 'pass' | 'warn' | 'fail'): Promise<void> {
    await this.put(`/agent/check/${result}/service:${id}`);
  }

  async nodeName(): Promise<string> {
    const self = (await this.#ask('GET', '/agent/self')) as { readonly Config: { readonly NodeName: string } };
    return self.Config.NodeName;
  }

  /** Any write; gives what Consul answers. */
  async put(path: string, body?: unknown): Promise<unknown> {
    return this.#ask('PUT', path, body);
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}/v1${path}`, {
      method,
      headers: this.#token === '' ? {} : { 'x-consul-token': this.#token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

/** A service as the agent registers it, with a TTL check that passes. */
export function withTtlCheck(id: string, name: string, port: number): Readonly<Record<string, unknown>> {
  return { ID: id, Name: name, Port: port, Check: { TTL: '10m', Status: 'passing' } };
}
