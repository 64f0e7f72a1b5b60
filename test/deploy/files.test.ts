import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DCLinter } from 'dclint';
import { type Dockerfile, DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readMarkdown } from '../support/markdown.ts';

const run = promisify(execFile);

/** The part of the linter's results that is read here: its own types are not exported. */
type LintResult = { messages: { rule: string; message: string; line: number }[] };

const read = (file: string) => readFileSync(file, 'utf8');

const { scripts, version } = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  version: string;
};
const startScript = scripts.start ?? '';

describe('Dockerfile', () => {
  const dockerfile: Dockerfile = DockerfileParser.parse(read('Dockerfile'));
  const argumentsOf = (instruction: string) =>
    dockerfile
      .getInstructions()
      .filter((each) => each.getInstruction() === instruction)
      .map((each) => each.getArgumentsContent() ?? '');

  test('has no error and no warning of the linter', () => {
    expect(validate(read('Dockerfile'))).toEqual([]);
  });

  test('pins a base with the Node version of this repository', () => {
    const pinned = /^NODE_IMAGE=node:(\d+)\.\d+\.\d+-/.exec(argumentsOf('ARG')[0] ?? '');
    expect(pinned?.[1]).toBe(read('.nvmrc').trim());
    expect(argumentsOf('FROM').at(-1)).toBe(`\${NODE_IMAGE}`);
  });

  test('does not run as root', () => {
    expect(argumentsOf('USER')).toEqual(['node']);
  });

  test('starts what `npm start` starts, without a shell or npm in between that would keep SIGTERM', () => {
    expect(JSON.parse(argumentsOf('CMD')[0] ?? '')).toEqual(
      startScript.replace(' --env-file-if-exists=.env', '').replace('exec ', '').split(' '),
    );
  });
});

describe('compose.yaml', () => {
  const compose = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<string, { build?: string; stop_grace_period?: string; read_only?: boolean }>;
  };

  test('has no finding of the linter beyond the order and quoting of keys', () => {
    const style = new Set(['service-keys-order', 'require-quotes-in-ports']);
    const linter = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] });
    const results: LintResult[] = linter.lintFiles(['compose.yaml'], false);
    expect(results).toHaveLength(1);
    const findings = results.flatMap(({ messages }) => messages);
    expect(findings.filter(({ rule }) => !style.has(rule))).toEqual([]);
  });

  test('has two instances that may drain, with a read-only root', () => {
    const instances = Object.values(compose.services).filter(({ build }) => build === '.');
    expect(instances).toHaveLength(2);
    for (const { stop_grace_period, read_only } of instances) {
      expect(Number.parseInt(stop_grace_period ?? '', 10)).toBeGreaterThan(10);
      expect(read_only).toBe(true);
    }
  });
});

type KubernetesObject = {
  apiVersion: string;
  kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: objects of many kinds, each validated against its schema.
  spec: any;
};

describe('deploy/kubernetes.yaml', () => {
  const objects = parseAllDocuments(read('deploy/kubernetes.yaml'), { merge: true }).map(
    (each) => each.toJS() as KubernetesObject,
  );
  const find = (kind: string) => objects.find((each) => each.kind === kind)?.spec;

  test.each(objects.map((object) => [object.kind, object] as const))(
    '%s fits the schema of its kind',
    async (kind, object) => {
      const models = (await import(
        /* @vite-ignore */ `kubernetes-models/${object.apiVersion}`
      )) as Record<string, new (given: unknown) => { validate(): void }>;
      const Model = models[kind];
      if (Model === undefined) throw new Error(`There is no ${object.apiVersion} ${kind}.`);
      expect(() => new Model(object).validate()).not.toThrow();
    },
  );

  test('a misspelled field does not fit', async () => {
    const { Service } = await import('kubernetes-models/v1');
    const misspelled = { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 'eighty' }] } };
    expect(() => new Service(misspelled as never).validate()).toThrow();
  });

  test('has probes of this server, time to drain, secrets by reference and no root', () => {
    const { template, replicas } = find('Deployment');
    const [container] = template.spec.containers;
    expect(replicas).toBe(2);
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
    expect(container.livenessProbe.httpGet.path).toBe('/livez');
    const stopsAfter = Number(container.lifecycle.preStop.exec.command[1]) + 10;
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(stopsAfter);
    expect(container.envFrom).toContainEqual({ secretRef: { name: 'lipsync-graphql' } });
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
    expect(template.spec.securityContext.runAsNonRoot).toBe(true);
    expect(container.image).toBe(`lipsync-graphql:${version}`);
    expect(find('PodDisruptionBudget').minAvailable).toBe(1);
    expect(objects.map(({ kind }) => kind)).not.toContain('Secret');
  });

  test('publishes neither the metrics nor the probes', () => {
    const paths = find('Ingress').rules[0].http.paths.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(['/graphql', '/callbacks', '/uploads', '/results', '/mcp']);
  });
});

describe('deploy/lipsync-graphql.service', () => {
  const unit = read('deploy/lipsync-graphql.service');

  test('has no finding of `systemd-analyze verify`', async () => {
    // A path that does not exist on this machine is a finding of the machine.
    const { stderr } = await run('systemd-analyze', [
      'verify',
      'deploy/lipsync-graphql.service',
    ]).catch((error: { stderr: string }) => error);
    const findings = stderr.split('\n').filter((line) => line.includes('lipsync-graphql.service'));
    expect(findings.filter((line) => !line.includes('/usr/bin/node is not executable'))).toEqual(
      [],
    );
  });

  // 10 is without any confinement, and 0 is a service that can do nothing. Today it is 1.8.
  test('is confined: `systemd-analyze security` gives an exposure of at most 2', async () => {
    const judge = (unitFile: string) =>
      run('systemd-analyze', ['security', '--offline=true', '--threshold=20', unitFile]).then(
        () => true,
        () => false,
      );
    expect(await judge('deploy/lipsync-graphql.service')).toBe(true);
    const open = join(await mkdtemp(join(tmpdir(), 'lipsync-unit-')), 'open.service');
    await writeFile(open, unit.replace(/^(Protect|Restrict|Capability|SystemCall).*$/gm, ''));
    expect(await judge(open)).toBe(false);
    await rm(dirname(open), { recursive: true });
  });

  test('starts what `npm start` starts and waits until it has drained', () => {
    const command = startScript.replace('exec node', '').replace(' --env-file-if-exists=.env', '');
    expect(unit).toContain(`ExecStart=/usr/bin/node${command}\n`);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(10);
  });
});

describe('docs/operations.md', () => {
  // The commands need a container engine, a cluster or root, so only the names in them are checked here.
  const commands = readMarkdown(read('docs/operations.md'))
    .blocks.filter(({ language }) => language === 'console')
    .flatMap(({ text }) => text.split('\n'));

  test('names the version of this repository and the base of the Dockerfile', () => {
    const images = commands.flatMap((command) => command.match(/lipsync-graphql:\S+/g) ?? []);
    expect(new Set(images)).toEqual(new Set([`lipsync-graphql:${version}`]));
    const base = /^ARG NODE_IMAGE=(.+)$/m.exec(read('Dockerfile'))?.[1] ?? '';
    expect(commands.some((command) => command.includes(` ${base} `))).toBe(true);
  });

  test('names files, services and objects that exist', () => {
    const files = commands.flatMap((command) => command.match(/deploy\/[\w.-]+/g) ?? []);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(read(file)).not.toBe('');
    const { services } = parse(read('compose.yaml'), { merge: true }) as { services: object };
    const restarted = commands.flatMap(
      (command) => /^docker compose restart (\S+)$/.exec(command)?.[1] ?? [],
    );
    expect(restarted.length).toBeGreaterThan(0);
    expect(Object.keys(services)).toEqual(expect.arrayContaining(restarted));
  });

  test('runs the doctor on one machine with the user, folder and environment of the service', () => {
    const unit = read('deploy/lipsync-graphql.service');
    const doctor = commands.find((command) => command.startsWith('sudo systemd-run')) ?? '';
    const properties = [...doctor.matchAll(/--property=(\S+)/g)].flatMap(([, each = '']) => each);
    expect(properties.length).toBeGreaterThan(4);
    // The unit gets its user from its name.
    const user = 'User=lipsync-graphql';
    expect(properties).toContain(user);
    for (const each of properties.filter((property) => property !== user)) {
      expect(unit.split('\n')).toContain(each);
    }
    const environment = /^Environment=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
    const set = [...doctor.matchAll(/--setenv=(\S+)/g)].map(([, each]) => each);
    expect(environment).toEqual(expect.arrayContaining(set));
    expect(unit).toContain(/--working-directory=(\S+)/.exec(doctor)?.[1]);
  });

  test('installs on one machine what the image installs', () => {
    const [install = '', again] = commands.filter((command) => command.startsWith('sudo npm ci'));
    expect(again).toBe(install);
    const options = install.match(/--(?!prefix)[\w=-]+/g);
    expect(options?.length).toBeGreaterThan(0);
    for (const option of options ?? []) expect(read('Dockerfile')).toContain(option);
  });
});
