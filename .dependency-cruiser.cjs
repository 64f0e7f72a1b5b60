/** Who may import whom. CONTRIBUTING.md draws the picture; this file keeps it true. */
const slice = '^src/domains/([^/]+)/';

const forbid = (name, from, to) => ({ name, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-cycles', {}, { circular: true }),
    forbid('no-orphans', { orphan: true, path: '^src/' }, {}),
    forbid('leaves-import-nothing', { path: '^src/(errors|log)\\.ts$' }, { path: '^src/' }),
    forbid('config-imports-its-parts-alone', { path: '^src/config(/|\\.ts$)' }, { path: '^src/', pathNot: '^src/config/' }),
    forbid('only-the-process-and-app-read-config',
      { path: '^src/', pathNot: '^src/(config/|(config|process|app)\\.ts$)' },
      { path: '^src/config(/|\\.ts$)' }),
    forbid('machinery-knows-no-domain',
      { path: '^src/(graphql|upstream|database)/' },
      { path: '^src/', pathNot: '^src/((graphql|upstream|database)/|(errors|log)\\.ts)' }),
    forbid('domains-know-no-door',
      { path: '^src/domains/' },
      { path: '^src/((server|callbacks|sandbox)/|(main|process|app|schema)\\.ts)' }),
    forbid('a-slice-shows-only-schema-and-service',
      { path: slice },
      { path: '^src/domains/', pathNot: ['^src/domains/$1/', '/(schema|service)\\.ts$', '/schema/'] }),
    forbid('doors-use-services',
      { path: '^src/(server|callbacks)/' },
      { path: '^src/domains/', pathNot: '/service\\.ts$' }),
    forbid('graphql-stays-in-schema-files',
      { path: '^src/(domains|upstream|database|callbacks)/', pathNot: '[-/]schema\\.ts$|/schema/' },
      { path: ['node_modules/(graphql|@pothos|dataloader)', '^src/graphql/'] }),
    forbid('drivers-stay-in-database',
      { path: '^src/', pathNot: '^src/database/' },
      { path: 'node_modules/(pg|@electric-sql)' }),
    forbid('sandbox-stands-alone', { path: '^src/sandbox/' }, { path: '^src/', pathNot: '^src/sandbox/' }),
    forbid('only-the-process-starts-the-sandbox', { path: '^src/', pathNot: '^src/(process\\.ts|sandbox/)' }, { path: '^src/sandbox/' }),
    forbid('the-client-imports-only-itself-and-two-packages',
      { path: '^packages/client/src/' },
      { pathNot: '^packages/client/src/|(^|node_modules/)(graphql-ws|eventsource-parser)(/|$)' }),
    forbid('the-server-does-not-import-the-client', { path: '^src/', pathNot: '^src/demo' }, { path: '^packages/' }),
    forbid('browser-files-of-graphiql-import-only-each-other',
      { path: '^src/server/graphiql/browser/' },
      { pathNot: '^src/server/graphiql/browser/' }),
    forbid('src-never-imports-test', { path: '^src/' }, { path: '^test/' }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
