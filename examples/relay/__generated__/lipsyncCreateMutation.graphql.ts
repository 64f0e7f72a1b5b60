/**
 * @generated SignedSource<<06be67be8f0f0bce26d5f82648b76891>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type LipsyncBusyPolicy = "FAIL" | "QUEUE" | "%future added value";
export type LipsyncErrorCode = "ACCOUNT_PENDING" | "CONTENT_MODERATED" | "GENERATION_FAILED" | "IDEMPOTENCY_CONFLICT" | "INSUFFICIENT_CREDITS" | "INVALID_INPUT" | "NOT_AUTHENTICATED" | "NOT_AUTHORIZED" | "NOT_FOUND" | "OUTCOME_UNKNOWN" | "QUEUE_FULL" | "QUOTA_EXCEEDED" | "RATE_LIMITED" | "SUBSCRIPTION_EXPIRED" | "UPSTREAM_UNAUTHORIZED" | "UPSTREAM_UNAVAILABLE" | "%future added value";
export type LipsyncStatus = "CANCELLED" | "COMPLETED" | "EXPIRED" | "FAILED" | "GENERATING" | "MODERATED" | "QUEUED" | "SUBMITTED" | "SUBMITTING" | "%future added value";
export type WebhookEvent = "FINISHED" | "GENERATING" | "SUBMITTED" | "%future added value";
export type CreateLipsyncInput = {
  callbackEvents?: ReadonlyArray<WebhookEvent> | null | undefined;
  callbackUrl?: string | null | undefined;
  expiresAt?: string | null | undefined;
  idempotencyKey?: string | null | undefined;
  keepOriginalSound?: boolean | null | undefined;
  maxCredits?: number | null | undefined;
  maxJobs?: number | null | undefined;
  offPeak?: boolean | null | undefined;
  reference?: string | null | undefined;
  speech: LipsyncSpeechInput;
  video: LipsyncVideoInput;
  whenBusy?: LipsyncBusyPolicy | null | undefined;
};
export type LipsyncSpeechInput = {
  script: LipsyncScriptInput;
  uploadId?: never;
  url?: never;
} | {
  script?: never;
  uploadId: string;
  url?: never;
} | {
  script?: never;
  uploadId?: never;
  url: string;
};
export type LipsyncScriptInput = {
  text: string;
  voiceId?: string | null | undefined;
};
export type LipsyncVideoInput = {
  uploadId: string;
  url?: never;
  videoId?: never;
} | {
  uploadId?: never;
  url: string;
  videoId?: never;
} | {
  uploadId?: never;
  url?: never;
  videoId: string;
};
export type lipsyncCreateMutation$variables = {
  input: CreateLipsyncInput;
};
export type lipsyncCreateMutation$data = {
  readonly createLipsync: {
    readonly __typename: string;
    readonly code?: LipsyncErrorCode;
    readonly lipsync?: {
      readonly id: string;
      readonly status: LipsyncStatus;
    };
    readonly message?: string;
  };
};
export type lipsyncCreateMutation = {
  response: lipsyncCreateMutation$data;
  variables: lipsyncCreateMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "input"
  }
],
v1 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "input",
        "variableName": "input"
      }
    ],
    "concreteType": null,
    "kind": "LinkedField",
    "name": "createLipsync",
    "plural": false,
    "selections": [
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "__typename",
        "storageKey": null
      },
      {
        "kind": "InlineFragment",
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Lipsync",
            "kind": "LinkedField",
            "name": "lipsync",
            "plural": false,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "id",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "status",
                "storageKey": null
              }
            ],
            "storageKey": null
          }
        ],
        "type": "CreateLipsyncSuccess",
        "abstractKey": null
      },
      {
        "kind": "InlineFragment",
        "selections": [
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "code",
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "message",
            "storageKey": null
          }
        ],
        "type": "LipsyncError",
        "abstractKey": "__isLipsyncError"
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "lipsyncCreateMutation",
    "selections": (v1/*:: as any*/),
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "lipsyncCreateMutation",
    "selections": (v1/*:: as any*/)
  },
  "params": {
    "cacheID": "346e424a75b44d4dcfddc47289db7e40",
    "id": null,
    "metadata": {},
    "name": "lipsyncCreateMutation",
    "operationKind": "mutation",
    "text": "mutation lipsyncCreateMutation(\n  $input: CreateLipsyncInput!\n) {\n  createLipsync(input: $input) {\n    __typename\n    ... on CreateLipsyncSuccess {\n      lipsync {\n        id\n        status\n      }\n    }\n    ... on LipsyncError {\n      __isLipsyncError: __typename\n      code\n      message\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "456971ac25d4b956017315875645a13a";

export default node;
