/** The codings that answers can have, the cheapest first: a client that likes several as much gets that. */
const offered = ['gzip', 'br', 'deflate'] as const;

export type ContentCoding = (typeof offered)[number];

/** The coding of an answer that Accept-Encoding asks for (RFC 9110 section 12.5.3), or null for none. */
export function chosenCoding(acceptEncoding: string): ContentCoding | null {
  const qualities = readQualities(acceptEncoding);
  const others = qualities.get('*') ?? 0;
  const quality = (coding: string): number =>
    qualities.get(coding) ?? (coding === 'gzip' ? qualities.get('x-gzip') : undefined) ?? others;
  let chosen: ContentCoding | null = null;
  let best = 0;
  for (const coding of offered) {
    if (quality(coding) <= best) continue;
    chosen = coding;
    best = quality(coding);
  }
  return (qualities.get('identity') ?? 0) > best ? null : chosen;
}

function readQualities(acceptEncoding: string): Map<string, number> {
  const qualities = new Map<string, number>();
  for (const part of acceptEncoding.split(',', 32)) {
    const [coding = '', ...parameters] = part.split(';').map((it) => it.trim().toLowerCase());
    const weight = parameters.find((it) => it.startsWith('q='))?.slice(2);
    const isWeight = weight === undefined || /^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$/.test(weight);
    if (coding !== '' && isWeight) qualities.set(coding, Number(weight ?? 1));
  }
  return qualities;
}
