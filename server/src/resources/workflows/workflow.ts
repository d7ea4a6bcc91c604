/** A workflow as it is kept; its nodes are in its versions. */
export interface WorkflowRow {
  readonly key: number;
  readonly appKey: number;
  readonly id: string;
  readonly visibility: number;
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  readonly userId: string;
  readonly appId: string;
}

export interface WorkflowVersionRow {
  readonly key: number;
  readonly workflowKey: number;
  readonly id: string;
  readonly visibility: number;
  /** Model version of each node, in node order. */
  readonly modelVersionKeys: readonly number[];
  readonly body: Buffer;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
  /** One of the model versions it is pinned to is gone. */
  readonly isDeprecated: boolean;
}
