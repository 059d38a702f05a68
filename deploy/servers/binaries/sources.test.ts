import { describe, expect, it } from 'vitest';

import { parseDeb822, parseSourcesList, pickMirror, renderSource } from './sources.js';

const OWN = { id: 'debian', codename: 'bookworm' };

describe('apt sources', () => {
  it('keeps how a one-line source is signed when another suite is asked of it', () => {
    const sources = parseSourcesList(
      '# deb http://off.test/debian bookworm main\n' +
        'deb-src http://mirror.test/debian bookworm main\n' +
        'deb [arch=amd64,arm64 signed-by=/keys/a.gpg] http://mirror.test/debian bookworm main contrib # note\n',
    );

    expect(sources.map((source) => renderSource(source, 'bullseye'))).toEqual([
      'Types: deb\nURIs: http://mirror.test/debian\nSuites: bullseye\nComponents: main\n' +
        'Architectures: amd64 arm64\nsigned-by: /keys/a.gpg\n',
    ]);
  });

  it('reads deb822 stanzas with comments, an inline key and disabled stanzas', () => {
    const sources = parseDeb822(
      'Types: deb\n# a note\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n' +
        'Signed-By:\n -----BEGIN KEY-----\n .\n abc\n\n' +
        'Types: deb\nURIs: http://off.test/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n',
    );

    expect(sources.map((s) => s.uri)).toEqual(['http://mirror.test/debian']);
    expect(sources[0]?.suites).toEqual(['bookworm', 'bookworm-updates']);
    expect(sources[0]?.options).toEqual(['Signed-By:\n -----BEGIN KEY-----\n .\n abc']);
  });

  it("prefers the distribution's own mirror to third parties which use its suite name", () => {
    const sources = parseSourcesList(
      'deb cdrom:[disc]/ bookworm main\n' +
        'deb http://vendor.test/apt bookworm main\n' +
        'deb http://mirror.test/debian-security bookworm main\n' +
        'deb http://mirror.test/debian/ bookworm main\n',
    );

    expect(pickMirror(sources, OWN)?.uri).toBe('http://mirror.test/debian/');
  });

  it('takes any source with main when no suite has the name of this release', () => {
    const sources = parseSourcesList('deb http://a.test/x stable extra\ndeb http://b.test/y stable main\n');

    expect(pickMirror(sources, OWN)?.uri).toBe('http://b.test/y');
    expect(pickMirror([], OWN)).toBeUndefined();
  });
});
