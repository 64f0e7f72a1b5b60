import './graphql/scalars.ts';
import './graphql/errors.ts';
import './domains/accounts/schema.ts';
import './domains/videos/schema.ts';
import './domains/voices/schema.ts';
import './domains/uploads/schema.ts';
import './domains/lipsyncs/schema.ts';
import './domains/lipsyncs/list-schema.ts';
import './domains/lipsyncs/create-schema.ts';
import './domains/lipsyncs/batch-schema.ts';
import './domains/lipsyncs/end-schema.ts';
import './domains/lipsyncs/progress-schema.ts';
import './domains/lipsyncs/viewer-schema.ts';
import './domains/quotas/schema.ts';
import './domains/webhooks/schema.ts';
import { toSubgraph } from './graphql/subgraph.ts';

export const { schema, printSdl } = toSubgraph();
