import './graphql/scalars.ts';
import './graphql/errors.ts';
import './domains/accounts/schema.ts';
import './domains/videos/schema/video.ts';
import './domains/videos/schema/list.ts';
import './domains/voices/schema.ts';
import './domains/uploads/schema.ts';
import './domains/uploads/create-schema.ts';
import './domains/uploads/import-schema.ts';
import './domains/lipsyncs/schema/lipsync.ts';
import './domains/lipsyncs/schema/outcome.ts';
import './domains/lipsyncs/schema/request.ts';
import './domains/lipsyncs/schema/list.ts';
import './domains/lipsyncs/schema/all.ts';
import './domains/lipsyncs/schema/create.ts';
import './domains/lipsyncs/schema/estimate.ts';
import './domains/lipsyncs/schema/batch.ts';
import './domains/lipsyncs/schema/end.ts';
import './domains/lipsyncs/schema/repair.ts';
import './domains/lipsyncs/schema/progress.ts';
import './domains/lipsyncs/schema/queue.ts';
import './domains/lipsyncs/schema/viewer.ts';
import './domains/lipsyncs/schema/usage.ts';
import './domains/uploads/list-schema.ts';
import './domains/uploads/delete-schema.ts';
import './domains/quotas/schema.ts';
import './domains/owners/schema.ts';
import './domains/webhooks/schema.ts';
import './domains/webhooks/key-schema.ts';
import { printClientSdl as printAsClient } from './graphql/client-sdl.ts';
import { toSubgraph } from './graphql/subgraph.ts';

export const { schema, printSdl } = toSubgraph();

/** `client.graphql`: what a client sees. `printSdl` prints `schema.graphql`: what a schema registry takes. */
export const printClientSdl = () => printAsClient(schema);
