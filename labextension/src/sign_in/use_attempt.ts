import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useRef, useState } from 'react';

import type { Flow } from '../server/api';
import type { IAwsRoles } from '../tokens';
import { webAddress } from '../words/failure';
import type { IAttempt } from './attempt';
import { SignInWindow } from './window';

/** How often to check whether the provider's window is closed, in milliseconds: there is no event for it. */
const WINDOW_CHECK_INTERVAL = 500;

/** Begin sign-ins, and follow the one that was begun last. */
export function useAttempt(
  model: IAwsRoles,
  trans: TranslationBundle
): { attempt: IAttempt | null; begin: (flow: Flow) => Promise<void> } {
  const [attempt, setAttempt] = useState<IAttempt | null>(null);
  const [page] = useState(() => new SignInWindow());
  const last = useRef(0);

  const begin = async (flow: Flow) => {
    const mine = ++last.current;
    // Before anything is awaited: the browser still counts this as the user's click.
    const isOpen = flow === 'code' && page.open(trans.__('Opening the sign-in page…'));
    const asked: IAttempt = {
      flow,
      begun: null,
      error: null,
      window: isOpen ? 'open' : 'blocked'
    };
    setAttempt(asked);
    let answered: IAttempt;
    try {
      const begun = await model.beginSignIn(flow);
      const address = begun.flow === 'code' ? webAddress(begun.authorization_url) : null;
      if (mine === last.current && address !== null) {
        page.go(address);
      }
      answered = { ...asked, begun };
    } catch (error) {
      answered = { ...asked, error };
    }
    if (mine === last.current) {
      if (
        answered.begun?.flow !== 'code' ||
        webAddress(answered.begun.authorization_url) === null
      ) {
        page.close(); // it would stay empty
      }
      setAttempt(answered);
    }
  };

  const waits = attempt !== null && attempt.begun !== null;
  const isOpen = waits && attempt.flow === 'code' && attempt.window === 'open';
  useEffect(() => {
    if (!isOpen) {
      return;
    }
    const timer = window.setInterval(() => {
      if (page.isClosed) {
        window.clearInterval(timer);
        const mine = last.current;
        void model.read({ roles: true }).then(() => {
          if (mine === last.current) {
            setAttempt(now => now && { ...now, window: 'closed' });
          }
        });
      }
    }, WINDOW_CHECK_INTERVAL);
    return () => window.clearInterval(timer);
  }, [isOpen, model, page]);
  useEffect(() => {
    if (!waits) {
      return;
    }
    // A user who comes back from the provider's page sees the result at once.
    const read = () => void model.read();
    window.addEventListener('focus', read);
    return () => window.removeEventListener('focus', read);
  }, [waits, model]);
  // Close the window with the dialog.
  useEffect(() => () => page.close(), [page]);
  return { attempt, begin };
}
