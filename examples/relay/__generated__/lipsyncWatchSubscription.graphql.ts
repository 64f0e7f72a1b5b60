/**
 * @generated SignedSource<<34ece0da67428b3c61c78365068d4cf0>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type LipsyncErrorCode = "ACCOUNT_PENDING" | "CONTENT_MODERATED" | "GENERATION_FAILED" | "IDEMPOTENCY_CONFLICT" | "INSUFFICIENT_CREDITS" | "INVALID_INPUT" | "NOT_AUTHENTICATED" | "NOT_AUTHORIZED" | "NOT_FOUND" | "OUTCOME_UNKNOWN" | "QUEUE_FULL" | "QUOTA_EXCEEDED" | "RATE_LIMITED" | "SUBSCRIPTION_EXPIRED" | "UPSTREAM_UNAUTHORIZED" | "UPSTREAM_UNAVAILABLE" | "%future added value";
export type LipsyncStatus = "CANCELLED" | "COMPLETED" | "EXPIRED" | "FAILED" | "GENERATING" | "MODERATED" | "QUEUED" | "SUBMITTED" | "SUBMITTING" | "%future added value";
export type lipsyncWatchSubscription$variables = {
  after?: string | null | undefined;
  id: string;
};
export type lipsyncWatchSubscription$data = {
  readonly lipsyncProgress: {
    readonly __typename: string;
    readonly code?: LipsyncErrorCode;
    readonly cursor?: string;
    readonly failure?: {
      readonly code: LipsyncErrorCode;
      readonly message: string;
    } | null | undefined;
    readonly lipsync?: {
      readonly id: string;
      readonly result: {
        readonly id: string;
        readonly url: string | null | undefined;
      } | null | undefined;
      readonly status: LipsyncStatus;
    };
    readonly message?: string;
    readonly percent?: number;
    readonly sequence?: number;
    readonly status?: LipsyncStatus;
  };
};
export type lipsyncWatchSubscription = {
  response: lipsyncWatchSubscription$data;
  variables: lipsyncWatchSubscription$variables;
};

const node: ConcreteRequest = (function(){
var v0 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "after"
},
v1 = {
  "defaultValue": null,
  "kind": "LocalArgument",
  "name": "id"
},
v2 = [
  {
    "kind": "Variable",
    "name": "after",
    "variableName": "after"
  },
  {
    "kind": "Variable",
    "name": "id",
    "variableName": "id"
  }
],
v3 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "__typename",
  "storageKey": null
},
v4 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "cursor",
  "storageKey": null
},
v5 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "sequence",
  "storageKey": null
},
v6 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "status",
  "storageKey": null
},
v7 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "percent",
  "storageKey": null
},
v8 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "code",
  "storageKey": null
},
v9 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "message",
  "storageKey": null
},
v10 = [
  (v8/*:: as any*/),
  (v9/*:: as any*/)
],
v11 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "id",
  "storageKey": null
},
v12 = {
  "alias": null,
  "args": null,
  "concreteType": "Lipsync",
  "kind": "LinkedField",
  "name": "lipsync",
  "plural": false,
  "selections": [
    (v11/*:: as any*/),
    (v6/*:: as any*/),
    {
      "alias": null,
      "args": null,
      "concreteType": "Video",
      "kind": "LinkedField",
      "name": "result",
      "plural": false,
      "selections": [
        (v11/*:: as any*/),
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "url",
          "storageKey": null
        }
      ],
      "storageKey": null
    }
  ],
  "storageKey": null
},
v13 = {
  "kind": "InlineFragment",
  "selections": (v10/*:: as any*/),
  "type": "LipsyncError",
  "abstractKey": "__isLipsyncError"
};
return {
  "fragment": {
    "argumentDefinitions": [
      (v0/*:: as any*/),
      (v1/*:: as any*/)
    ],
    "kind": "Fragment",
    "metadata": null,
    "name": "lipsyncWatchSubscription",
    "selections": [
      {
        "alias": null,
        "args": (v2/*:: as any*/),
        "concreteType": null,
        "kind": "LinkedField",
        "name": "lipsyncProgress",
        "plural": false,
        "selections": [
          (v3/*:: as any*/),
          {
            "kind": "InlineFragment",
            "selections": [
              (v4/*:: as any*/),
              (v5/*:: as any*/),
              (v6/*:: as any*/),
              (v7/*:: as any*/),
              {
                "alias": null,
                "args": null,
                "concreteType": null,
                "kind": "LinkedField",
                "name": "failure",
                "plural": false,
                "selections": (v10/*:: as any*/),
                "storageKey": null
              },
              (v12/*:: as any*/)
            ],
            "type": "LipsyncProgress",
            "abstractKey": null
          },
          (v13/*:: as any*/)
        ],
        "storageKey": null
      }
    ],
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": [
      (v1/*:: as any*/),
      (v0/*:: as any*/)
    ],
    "kind": "Operation",
    "name": "lipsyncWatchSubscription",
    "selections": [
      {
        "alias": null,
        "args": (v2/*:: as any*/),
        "concreteType": null,
        "kind": "LinkedField",
        "name": "lipsyncProgress",
        "plural": false,
        "selections": [
          (v3/*:: as any*/),
          {
            "kind": "InlineFragment",
            "selections": [
              (v4/*:: as any*/),
              (v5/*:: as any*/),
              (v6/*:: as any*/),
              (v7/*:: as any*/),
              {
                "alias": null,
                "args": null,
                "concreteType": null,
                "kind": "LinkedField",
                "name": "failure",
                "plural": false,
                "selections": [
                  (v3/*:: as any*/),
                  (v8/*:: as any*/),
                  (v9/*:: as any*/)
                ],
                "storageKey": null
              },
              (v12/*:: as any*/)
            ],
            "type": "LipsyncProgress",
            "abstractKey": null
          },
          (v13/*:: as any*/)
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "c11a0e740c9812a0f7285dd837e966ca",
    "id": null,
    "metadata": {},
    "name": "lipsyncWatchSubscription",
    "operationKind": "subscription",
    "text": "subscription lipsyncWatchSubscription(\n  $id: ID!\n  $after: String\n) {\n  lipsyncProgress(id: $id, after: $after) {\n    __typename\n    ... on LipsyncProgress {\n      cursor\n      sequence\n      status\n      percent\n      failure {\n        __typename\n        code\n        message\n      }\n      lipsync {\n        id\n        status\n        result {\n          id\n          url\n        }\n      }\n    }\n    ... on LipsyncError {\n      __isLipsyncError: __typename\n      code\n      message\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "f9b4a99307d75a7c7849372f20964d7f";

export default node;
