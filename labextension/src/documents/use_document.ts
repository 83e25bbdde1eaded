import { useMemo } from 'react';

import { useSignals, useSnapshot } from '../components/hooks';
import type { ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { type IDocument, isSettled, kernelIdOf } from './document';
import { type DocumentRole, documentRole } from './document_role';
import { type IOffer, offerOf } from './remembered_role';

/** What a document's button and panel show. */
export interface IDocumentState {
  readonly snapshot: ISnapshot;
  readonly role: DocumentRole;
  readonly offer: IOffer | null;
}

/** Return what a document's button and panel show, and render again when it changes. */
export function useDocument(document: IDocument, model: IAwsRoles): IDocumentState {
  const { memory, sessionContext } = document;
  const signals = useMemo(
    () => [
      sessionContext.kernelChanged,
      sessionContext.statusChanged,
      ...(memory === null ? [] : [memory.changed])
    ],
    [memory, sessionContext]
  );
  const snapshot = useSnapshot(model);
  const kernelId = useSignals(signals, () => kernelIdOf(document));
  const settled = useSignals(signals, () => isSettled(document, snapshot));
  const remembered = useSignals(signals, () => memory?.arn ?? null);
  const role = documentRole(snapshot, kernelId, settled);
  return { snapshot, role, offer: offerOf(remembered, role, snapshot) };
}
