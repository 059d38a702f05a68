import { stopSignal } from '../life.js';
import type { Log } from '../log.js';
import { deregisterInstance, registerInstances } from './consul-registration.js';
import { startDemoServices, type DemoPorts } from './demo.js';

export interface RegisteredDemo {
  readonly consulUrl: string;
  /** Where the instances listen, and what Consul tells of them. */
  readonly host: string;
  readonly advertise: string;
  readonly ports: DemoPorts;
  readonly log: Log;
}

/** The example services as their owner would run them: registered in Consul with weights while they run, until told to stop. */
export async function runRegisteredDemo({ consulUrl, host, advertise, ports, log }: RegisteredDemo): Promise<void> {
  const stopped = stopSignal();
  const services = await startDemoServices(ports, host);
  const instances = (
    started: typeof services.orders,
  ): { id: string; address: string; port: number; weight: number }[] =>
    started.map(({ name, port }, i) => ({
      id: name,
      address: advertise,
      port,
      weight: i === 0 && started === services.orders ? 3 : 1,
    }));
  await registerInstances(consulUrl, 'orders', instances(services.orders));
  await registerInstances(consulUrl, 'bookstore', instances(services.bookstore));
  log.info('demo services are registered', { consul: consulUrl });
  await stopped;
  for (const { name } of [...services.orders, ...services.bookstore]) {
    await deregisterInstance(consulUrl, name).catch((error: unknown) =>
      log.warn('could not deregister', { id: name, error: String(error) }),
    );
  }
  await services.close();
}
