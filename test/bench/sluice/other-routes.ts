/**
 * The rest of a config as gateways have them: most services below a path of one host, some with a host of their own, and
 * resources by template and method.
 */
export function otherRoutes(count: number): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: count }, (_, i) => {
    switch (i % 10) {
      case 0:
      case 1:
        return { hosts: [`tenant-${i}.example.com`], paths: ['/'] };
      case 2:
      case 3:
        return { paths: [{ template: `/v1/collection-${i}/{id}/items/{item}` }], methods: ['GET', 'PUT'] };
      default:
        return { hosts: ['api.example.com'], paths: [`/service-${i}/v1`] };
    }
  });
}
