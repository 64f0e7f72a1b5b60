import { createServer } from 'node:http';
import { enableCompileCache } from 'node:module';

// A minimal program for comparison: graphql-yoga and the embedded database, with one field and no table.
enableCompileCache();
const [{ PGlite }, { createSchema, createYoga }] = await Promise.all([
  import('@electric-sql/pglite'),
  import('graphql-yoga'),
]);
const db = await PGlite.create(process.env.DATA_DIR ?? '');
const yoga = createYoga({
  schema: createSchema({
    typeDefs: 'type Query { ready: Boolean! }',
    resolvers: { Query: { ready: async () => (await db.query('select 1')).rows.length === 1 } },
  }),
});
createServer(yoga).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => void db.close().finally(() => process.exit(0)));
