import { LineCounter, isCollection, parseAllDocuments, type Document, type Node } from 'yaml';

/** A parsed config file that knows on which line each value stands. */
export interface SourceFile {
  readonly name: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** A fault in what the user wrote, with the place where it stands. */
export interface FileProblem {
  readonly file: string;
  /** From 1; 0 when no line is known. */
  readonly line: number;
  /** As `route "orders"`, or '' when it is none of a resource. */
  readonly resource: string;
  /** Path in the names of the file; '' for the whole. */
  readonly field: string;
  readonly reason: string;
}

/** Reads YAML (of which JSON is a part). A file that does not parse gives problems and no document. */
export function parseSource(name: string, text: string): { file: SourceFile | null; problems: FileProblem[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' });
  const problems = [...documents].flatMap((document) =>
    document.errors.map((error) => problem(name, lines.linePos(error.pos[0]).line, firstLine(error.message))),
  );
  if (documents.length > 1) problems.push(problem(name, 1, 'holds several YAML documents; put each into a file of its own'));
  const document = documents[0];
  if (problems.length > 0 || document === undefined) return { file: null, problems };
  return { file: { name, document, lines }, problems };
}

function problem(file: string, line: number, reason: string): FileProblem {
  return { file, line, resource: '', field: '', reason };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

export function lineOf(file: SourceFile, node: unknown): number {
  const range = (node as Node | null)?.range;
  return range ? file.lines.linePos(range[0]).line : 0;
}

/**
 * The line of the value at a path such as `paths[0].regex.pattern` within `node`, or of the nearest value around it that is
 * written in the file.
 */
export function lineAt(file: SourceFile, node: unknown, path: string): number {
  let at = node;
  for (const key of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    const next: unknown = isCollection(at) ? at.get(/^\d+$/.test(key) ? Number(key) : key, true) : undefined;
    if (next === undefined || next === null) break;
    at = next;
  }
  return lineOf(file, at);
}
