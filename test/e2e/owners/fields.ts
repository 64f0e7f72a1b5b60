import type { Scope } from '../../../src/graphql/context.ts';
import { encodeId } from '../../../src/graphql/ids.ts';

/** Well-formed, but of no row. */
const uuid = '00000000-0000-4000-8000-000000000000';
const ids = {
  Account: encodeId('Account', 'AAAAAAAAAAAA'),
  Lipsync: encodeId('Lipsync', uuid),
  Upload: encodeId('Upload', uuid),
  Video: encodeId('Video', 'AAAAAAAA-12'),
  Voice: encodeId('Voice', '4711'),
  WebhookDelivery: encodeId('WebhookDelivery', uuid),
};

export type Rule = {
  /** Any one of these scopes is enough; `signed in`: any valid token; `everyone`: no token. */
  needs: readonly Scope[] | 'signed in' | 'everyone';
  /** The field with its arguments and what is selected. */
  ask: string;
  /** Whether a refusal is a member of the union; otherwise it is an entry in `errors[]`. */
  hasUnion: boolean;
};

const errorFields = '{ __typename ... on LipsyncError { code message } }';
const union = (needs: Rule['needs'], field: string): Rule => ({
  needs,
  ask: `${field} ${errorFields}`,
  hasUnion: true,
});
const plain = (needs: Rule['needs'], ask: string): Rule => ({ needs, ask, hasUnion: false });

const read = ['lipsync:read'] as const;
const write = ['lipsync:write'] as const;
const admin = ['admin'] as const;

/** The scopes that each field of the schema needs. A field without a row fails the test. */
export const rules: Record<string, Rule> = {
  'Query.viewer': plain('everyone', 'viewer { name }'),
  'Query._service': plain('everyone', '_service { sdl }'),
  'Query.voices': union(read, 'voices'),
  'Query.voice': plain(read, `voice(id: "${ids.Voice}") { id }`),
  'Query.videos': union('signed in', 'videos'),
  'Query.video': plain('signed in', `video(id: "${ids.Video}") { id }`),
  'Query.lipsync': plain(read, `lipsync(id: "${ids.Lipsync}") { id }`),
  'Query.lipsyncs': plain(read, 'lipsyncs { nodes { id } }'),
  'Query.allLipsyncs': plain(admin, 'allLipsyncs { nodes { id } }'),
  'Query.usage': plain(admin, 'usage(owner: "key:nobody") { day }'),
  'Query.usageByOwner': plain(admin, 'usageByOwner { owner }'),
  'Query.queue': plain(admin, 'queue { waitingCount owners { owner } }'),
  'Query.estimateLipsync': union(
    read,
    'estimateLipsync(input: { speech: { script: { text: "Hi" } } })',
  ),
  'Query.upload': plain(read, `upload(id: "${ids.Upload}") { id }`),
  'Query.webhookDelivery': plain(read, `webhookDelivery(id: "${ids.WebhookDelivery}") { id }`),
  'Query.accounts': union(admin, 'accounts'),
  'Query.account': plain(admin, `account(id: "${ids.Account}") { id }`),
  // The scope depends on the type of the node.
  'Query.node': plain(read, `node(id: "${ids.Lipsync}") { id }`),
  'Query.nodes': plain(read, `nodes(ids: ["${ids.Lipsync}"]) { id }`),
  'Query._entities': entity(read, 'Lipsync'),
  'Mutation.createLipsync': union(
    write,
    `createLipsync(input: { video: { videoId: "${ids.Video}" }, speech: { script: { text: "Hi" } } })`,
  ),
  'Mutation.createLipsyncs': union(
    write,
    `createLipsyncs(input: { items: [{ video: { videoId: "${ids.Video}" }, speech: { script: { text: "Hi" } } }] })`,
  ),
  'Mutation.cancelLipsync': union(write, `cancelLipsync(input: { id: "${ids.Lipsync}" })`),
  'Mutation.deleteLipsync': union(write, `deleteLipsync(input: { id: "${ids.Lipsync}" })`),
  'Mutation.createUpload': union(
    write,
    'createUpload(input: { kind: AUDIO, contentType: "text/plain" })',
  ),
  'Mutation.importUpload': union(
    write,
    'importUpload(input: { kind: AUDIO, url: "ftp://files.example/a" })',
  ),
  'Mutation.uploadAudio': union(write, 'uploadAudio(file: $file)'),
  'Mutation.deleteUpload': union(write, `deleteUpload(input: { id: "${ids.Upload}" })`),
  'Mutation.deleteVideo': union(
    ['lipsync:write', 'videos:write'],
    `deleteVideo(input: { id: "${ids.Video}" })`,
  ),
  'Mutation.reconnectAccount': union(
    admin,
    `reconnectAccount(input: { accountId: "${ids.Account}", password: "x" })`,
  ),
  'Mutation.requeueLipsync': union(admin, `requeueLipsync(input: { id: "${ids.Lipsync}" })`),
  'Mutation.endLipsync': union(admin, `endLipsync(input: { id: "${ids.Lipsync}", reason: "x" })`),
  'Mutation.attachLipsyncJob': union(
    admin,
    `attachLipsyncJob(input: { id: "${ids.Lipsync}", upstreamVideoId: "1" })`,
  ),
  'Mutation.eraseOwner': union(admin, 'eraseOwner(input: { owner: "key:nobody" })'),
  'Query.ownerErasure': plain(admin, `ownerErasure(id: "${ids.Lipsync}") { id }`),
  'Mutation.redeliverWebhook': union(
    write,
    `redeliverWebhook(input: { id: "${ids.WebhookDelivery}" })`,
  ),
  'Mutation.rotateWebhookSecret': union(write, 'rotateWebhookSecret'),
  'Subscription.lipsyncProgress': union(read, `lipsyncProgress(id: "${ids.Lipsync}")`),
  'Subscription.lipsyncsProgress': union(read, `lipsyncsProgress(ids: ["${ids.Lipsync}"])`),
};

/** The scopes of each entity type. */
export const entityRules: Record<string, Rule> = {
  Account: entity(admin, 'Account'),
  Lipsync: entity(read, 'Lipsync'),
  Upload: entity(read, 'Upload'),
  Video: entity('signed in', 'Video'),
  Voice: entity(read, 'Voice'),
  WebhookDelivery: entity(read, 'WebhookDelivery'),
};

function entity(needs: Rule['needs'], type: keyof typeof ids): Rule {
  const ask = `_entities(representations: [{ __typename: "${type}", id: "${ids[type]}" }]) { __typename }`;
  return plain(needs, ask);
}
