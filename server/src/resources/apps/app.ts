/** An app as it is stored. */
export interface AppRow {
  readonly key: number;
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly body: Buffer;
  readonly defaultLanguage: string;
  readonly visibility: number;
  readonly isTemplate: boolean;
  readonly searchRevision: number;
  readonly workflowId: string | null;
  readonly workflowVersionId: string | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

export type AppSort = 'name' | 'modified_at' | 'created_at' | 'star_count' | 'id' | 'relevance';

/** The base workflow of an app that names none: inputs are indexed, so that search works from the first picture. */
export const workflowByDefault = { userId: 'clarifai', appId: 'main', id: 'General' } as const;
