/**
 * @generated SignedSource<<3f3fd3b1a430ca0dd6f682f10a37e43b>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type LipsyncStatus = "CANCELLED" | "COMPLETED" | "EXPIRED" | "FAILED" | "GENERATING" | "MODERATED" | "QUEUED" | "SUBMITTED" | "SUBMITTING" | "%future added value";
export type lipsyncNodeQuery$variables = {
  id: string;
};
export type lipsyncNodeQuery$data = {
  readonly node: {
    readonly __typename: string;
    readonly id: string;
    readonly progress?: {
      readonly percent: number;
    };
    readonly status?: LipsyncStatus;
    readonly text?: string | null | undefined;
  } | null | undefined;
};
export type lipsyncNodeQuery = {
  response: lipsyncNodeQuery$data;
  variables: lipsyncNodeQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "id"
  }
],
v1 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "id",
        "variableName": "id"
      }
    ],
    "concreteType": null,
    "kind": "LinkedField",
    "name": "node",
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
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "id",
        "storageKey": null
      },
      {
        "kind": "InlineFragment",
        "selections": [
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "status",
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "text",
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "concreteType": "LipsyncEstimate",
            "kind": "LinkedField",
            "name": "progress",
            "plural": false,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "percent",
                "storageKey": null
              }
            ],
            "storageKey": null
          }
        ],
        "type": "Lipsync",
        "abstractKey": null
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
    "name": "lipsyncNodeQuery",
    "selections": (v1/*:: as any*/),
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "lipsyncNodeQuery",
    "selections": (v1/*:: as any*/)
  },
  "params": {
    "cacheID": "6f3e613d66a6da8e61d00ce82bac5dd2",
    "id": null,
    "metadata": {},
    "name": "lipsyncNodeQuery",
    "operationKind": "query",
    "text": "query lipsyncNodeQuery(\n  $id: ID!\n) {\n  node(id: $id) {\n    __typename\n    id\n    ... on Lipsync {\n      status\n      text\n      progress {\n        percent\n      }\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "f6e00ce79fbaa2ef26c229e60f87fb51";

export default node;
