export interface Instance {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

/** Registers instances of a service with a Consul agent, as its owner's deployment would. */
export async function registerInstances(
  consulUrl: string,
  service: string,
  instances: readonly Instance[],
): Promise<void> {
  for (const { id, address, port, weight } of instances) {
    await put(`${consulUrl}/v1/agent/service/register`, {
      ID: id,
      Name: service,
      Address: address,
      Port: port,
      Weights: { Passing: weight, Warning: 1 },
    });
  }
}

export async function deregisterInstance(consulUrl: string, id: string): Promise<void> {
  await put(`${consulUrl}/v1/agent/service/deregister/${id}`, undefined);
}

async function put(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, { method: 'PUT', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!response.ok)
    throw new Error(`Consul answers ${response.status} to PUT ${new URL(url).pathname}: ${await response.text()}`);
}
