import { InvalidArgumentError, Option } from 'commander';

import { applyFiles, printApplied, waitForNodes } from './apply.js';
import { AdminClient } from './client.js';
import { RefusedError, UnreachableError, UsageError } from './errors.js';
import { parseDuration } from './config-file/config-file.js';
import { printExplanation, printTry, profiles } from './explain.js';
import { printOpenApi } from './openapi.js';
import { deleteResource, dump, kindOf, kindWords, printResources } from './resources.js';
import { printEndpoints, printHistory, printNodes } from './status.js';

import type { Command } from 'commander';
import type { AskOptions, TryOptions } from './explain.js';
import type { OpenApiOptions } from './openapi.js';
import type { Output } from './print.js';
import type { KindWord, OutputFormat } from './resources.js';

export { applyFiles, waitForNodes } from './apply.js';
export { AdminClient } from './client.js';
export { newestRevision } from './status.js';

/** What a command ends with: 0 done, 1 refused by the gateway, 2 wrong usage, 3 no control plane reached. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface CliContext {
  readonly output: Output;
  /** The address of the admin API when no flag names one. */
  readonly defaultAddress: string;
  exit(code: ExitCode): void;
}

/** Runs the work of one command; it says whether all is as it was asked for. */
type Run = (work: (client: AdminClient) => Promise<boolean | void>) => Promise<void>;

/**
 * Adds the commands that talk to the admin API. They print through `context.output` and end by `context.exit`; what they throw is
 * a fault of ours. Wrong flags are commander's to refuse.
 */
export function addAdminCommands(program: Command, context: CliContext): void {
  const { output } = context;
  const run: Run = (work) => runCommand(program, context, work);
  addApply(program, output, run);
  addChecks(program, output, run);
  addDump(program, output, run);
  addGet(program, output, run);
  addDelete(program, output, run);
  addStatus(program, output, run);
  addExplain(program, output, run);
  addOpenApi(program, output, run);
}

interface FileOptions {
  readonly file: string[];
  readonly prune?: boolean;
  readonly expectedRevision?: bigint;
}

interface WriteOptions extends FileOptions {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

function addApply(program: Command, output: Output, run: Run): void {
  withFile(program.command('apply').description('make the config as the files describe it'))
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'delete what the files do not name')
    .addOption(
      new Option('--wait', 'return when every live node has applied it; say who and how fast').conflicts('dryRun'),
    )
    .option('--timeout <duration>', 'how long to wait, as 500ms or 30s', milliseconds, 30_000)
    .option('--expected-revision <revision>', 'refuse unless the config is still at this revision', revisionNumber)
    .action((options: WriteOptions) =>
      run(async (client) => {
        const revision = await send(client, output, options, options.dryRun === true);
        return options.wait === true ? waitForNodes(client, output, revision, options.timeout) : true;
      }),
    );
}

function addChecks(program: Command, output: Output, run: Run): void {
  withFile(program.command('diff').description('show what apply would change'))
    .option('--prune', 'as if deleting what the files do not name')
    .action((options: FileOptions) => run(async (client) => void (await send(client, output, options, true))));
  withFile(program.command('validate').description('check files, together with the running config'))
    .option('--prune', 'as if deleting what the files do not name')
    .action(({ file, prune = false }: FileOptions) =>
      run(async (client) => {
        await applyFiles(client, file, { dryRun: true, prune, expectedRevision: null });
        output.line('valid');
      }),
    );
}

async function send(client: AdminClient, output: Output, options: FileOptions, dryRun: boolean): Promise<bigint> {
  const { file, prune = false, expectedRevision = null } = options;
  const response = await applyFiles(client, file, { dryRun, prune, expectedRevision });
  printApplied(output, response, dryRun);
  return response.revision;
}

function withFile(command: Command): Command {
  return command.requiredOption('-f, --file <path...>', 'config files or folders; - is standard input');
}

function addDump(program: Command, output: Output, run: Run): void {
  program
    .command('dump')
    .description('the whole config as a file')
    .action(() => run(async (client) => output.line(await dump(client))));
}

function addGet(program: Command, output: Output, run: Run): void {
  const format = new Option('-o, --output <format>', 'how to print')
    .choices(['table', 'yaml', 'json'])
    .default('table');
  program
    .command('get')
    .description('resources of a kind, or the one of that name')
    .argument('<kind>', kindWords.join(', '), parseKind)
    .argument('[name]')
    .addOption(format)
    .action((kind: KindWord, name: string | undefined, options: { output: OutputFormat }) =>
      run((client) => printResources(client, output, kind, name ?? null, options.output)),
    );
}

function addDelete(program: Command, output: Output, run: Run): void {
  program
    .command('delete')
    .description('delete a resource that no other refers to')
    .argument('<kind>', kindWords.join(', '), parseKind)
    .argument('<name>')
    .option('--etag <etag>', 'refuse unless the resource still has it', '')
    .action((kind: KindWord, name: string, { etag }: { etag: string }) =>
      run(async (client) => {
        await deleteResource(client, kind, name, etag);
        output.line(`deleted ${kind} ${name}`);
      }),
    );
}

function addStatus(program: Command, output: Output, run: Run): void {
  program
    .command('nodes')
    .description('every node: phase, revision, lag, and why it refuses one')
    .action(() => run((client) => printNodes(client, output)));
  program
    .command('history')
    .description('revisions, newest first')
    .option('--limit <count>', 'how many', positive, 20)
    .action(({ limit }: { limit: number }) => run((client) => printHistory(client, output, limit)));
  program
    .command('endpoints')
    .description('the endpoints of a service, as the registry says')
    .argument('<service>')
    .action((service: string) => run((client) => printEndpoints(client, output, service)));
}

function addExplain(program: Command, output: Output, run: Run): void {
  asking(program.command('explain').description('say what would become of a request, and why; nothing is sent'))
    .argument('<method>')
    .argument('<url>', 'http://HOST/PATH, https://HOST/PATH or /PATH')
    .action((method: string, url: string, options: AskOptions) =>
      run((client) => printExplanation(client, output, method, url, options)),
    );
  const transcode = program.command('transcode').description('look at what transcoding does');
  asking(transcode.command('try').description('show the gRPC call that a REST call becomes; nothing is sent'))
    .argument('<method>')
    .argument('<path>', 'with the query; or a URL')
    .option('--host <host>', 'the host that the call is for')
    .option('--schema <name>', 'try the rules of a schema, whatever routes there are')
    .option('--service <name>', 'with --schema: a gRPC service of it, by its full name; repeat for more', collect, [])
    .addOption(new Option('--profile <profile>', 'with --schema').choices(profiles))
    .action((method: string, path: string, options: TryOptions) =>
      run((client) => printTry(client, output, method, path, options)),
    );
}

function asking(command: Command): Command {
  return command
    .option('-H, --header <line>', "a header field, 'NAME: VALUE'; repeat for more", collect, [])
    .option('--body <text>', 'the body; @FILE reads it from a file, @- from standard input')
    .option('--revision <revision>', 'by the config of this revision', revisionNumber)
    .option('-f, --file <path...>', 'as if these files had been applied')
    .option('--prune', 'as if with --prune')
    .option('--limit <count>', 'how many of the other routes to show', positive, 20)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function addOpenApi(program: Command, output: Output, run: Run): void {
  program
    .command('openapi')
    .description('the OpenAPI document of what is transcoded at a host')
    .option('--host <host>', 'as clients name it; without one, what is transcoded at any host', '')
    .addOption(new Option('--version <version>', 'of OpenAPI').choices(['3.1', '2.0']).default('3.1'))
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['json', 'yaml']).default('json'))
    .action((options: OpenApiOptions) => run((client) => printOpenApi(client, output, options)));
}

async function runCommand(program: Command, context: CliContext, work: Parameters<Run>[0]): Promise<void> {
  const { address = context.defaultAddress } = program.opts<{ address?: string }>();
  let client: AdminClient | undefined;
  try {
    client = new AdminClient(address);
    context.exit((await work(client)) === false ? 1 : 0);
  } catch (error) {
    context.exit(explainFailure(context.output, error));
  } finally {
    client?.close();
  }
}

function explainFailure(output: Output, error: unknown): ExitCode {
  if (error instanceof RefusedError) {
    for (const line of error.lines) output.error(line);
    return 1;
  }
  if (!(error instanceof UsageError || error instanceof UnreachableError)) throw error;
  output.error(error.message);
  return error instanceof UsageError ? 2 : 3;
}

function parseKind(word: string): KindWord {
  const kind = kindOf(word);
  if (kind === null) throw new InvalidArgumentError(`Known kinds are ${kindWords.join(', ')}.`);
  return kind;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}

/** A number without a unit is milliseconds, as in the flags of the processes. */
function milliseconds(text: string): number {
  const duration = parseDuration(/^\d+$/.test(text) ? `${text}ms` : text);
  const ms = duration === null ? 0 : Number(duration.seconds) * 1000 + Math.floor(duration.nanos / 1_000_000);
  if (ms < 1 || ms > 3_600_000)
    throw new InvalidArgumentError('It must be a duration from 1ms to 1h, as 500ms or 30s.');
  return ms;
}

function revisionNumber(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError('It must be a revision number.');
  return BigInt(text);
}
