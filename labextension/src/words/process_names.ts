import type { TranslationBundle } from '@jupyterlab/translation';

import type { Assignment } from '../server/api';

/** Returns what the user calls a kernel, terminal or app. */
export type ProcessName = (process: Pick<Assignment, 'kind' | 'id'>) => string;

/** The documents with kernels: the part of `Session.IManager` used here. */
export interface IOpenDocuments {
  running(): Iterable<{
    readonly kernel: { readonly id: string } | null;
    readonly name: string;
    readonly path: string;
  }>;
}

/** Name kernels by their documents, terminals as JupyterLab's tabs do, and apps by their ids. */
export function processNames(documents: IOpenDocuments, trans: TranslationBundle): ProcessName {
  return ({ kind, id }) => {
    if (kind === 'terminal') {
      return trans.__('Terminal %1', id);
    }
    if (kind !== 'kernel') {
      return id;
    }
    for (const { kernel, name, path } of documents.running()) {
      if (kernel?.id === id) {
        return name || path;
      }
    }
    return trans.__('A kernel');
  };
}
