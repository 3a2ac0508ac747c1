// What the host around the core can do for a person. The core works without any of it.
export interface HostFeatures {
  /** Folders in which pages may browse. */
  readonly browsableFolders: readonly string[];
  /** A native dialog; answers absolute paths, none when the person cancelled. */
  readonly choose?: (purpose: 'dataset' | 'datasetFolder' | 'weights' | 'workspace') => Promise<readonly string[]>;
  /** Opens another workspace after the answer has been sent; throws when the folder cannot be one. */
  readonly openWorkspace?: (folder: string) => Promise<void>;
}
