import * as React from 'react';

const { useEffect, useLayoutEffect, useRef, useState } = React;

/** A row's height in em: two lines of text. */
export const ROW_EM = 3.4;
/** How many rows are visible: the last one is cut off, which shows that there are more. */
export const MAX_ROWS = 5.6;
/** How many rows are drawn beyond the visible ones, so that scrolling shows no gap. */
const SPARE_ROWS = 4;

/**
 * Work out which rows of a list are visible: only those are drawn, so that thousands of roles are fast.
 *
 * @param active - the row that the keyboard is on, -1 for none; it is scrolled into view.
 * @param selected - the selected row, -1 for none; it is scrolled into view.
 */
export function useVisibleRows(active: number, selected: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const row = useRef(ROW_EM * 13);
  const height = useRef(MAX_ROWS * row.current);
  useLayoutEffect(() => {
    const node = ref.current!;
    row.current = ROW_EM * (parseFloat(getComputedStyle(node).fontSize) || 13);
    height.current = node.clientHeight || height.current;
  });
  const reveal = (index: number) => {
    const node = ref.current!;
    const at = index * row.current;
    if (index >= 0 && at < node.scrollTop) {
      node.scrollTop = at;
    } else if (index >= 0 && at + row.current > node.scrollTop + node.clientHeight) {
      node.scrollTop = at + row.current - node.clientHeight;
    }
  };
  useEffect(() => reveal(selected), [selected]);
  useEffect(() => reveal(active), [active]);
  const first = Math.floor(top / row.current);
  const shown = Math.ceil(Math.max(height.current, MAX_ROWS * row.current) / row.current);
  const from = Math.max(0, first - SPARE_ROWS);
  const to = first + shown + SPARE_ROWS;
  return {
    ref,
    from,
    to,
    isDrawn: (at: number) => from <= at && at < to,
    page: () => Math.max(1, Math.floor(height.current / row.current) - 1),
    onScroll: (event: React.UIEvent) => setTop(event.currentTarget.scrollTop),
    toTop: () => {
      setTop(0);
      if (ref.current) {
        ref.current.scrollTop = 0;
      }
    }
  };
}
