import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Whether an IP address is one of `items`, addresses and CIDRs; throws an Error that names the first that is neither, and `flag`. */
export function addressesOf(items: readonly string[], flag: string): (address: string) => boolean {
  if (items.length === 0) return () => false;
  const list = blockList(items, flag);
  return (address) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function blockList(items: readonly string[], flag: string): BlockList {
  const list = new BlockList();
  for (const item of items) {
    const [address = '', prefix] = item.split('/');
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
    const bits = prefix === undefined ? null : Number(prefix);
    if (family === null || (bits !== null && !(/^\d+$/.test(prefix ?? '') && bits <= (family === 'ipv4' ? 32 : 128)))) {
      throw new Error(`${flag}: "${item}" is neither an IP address nor a CIDR`);
    }
    if (bits === null) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return list;
}
