import type { ReactNode } from 'react';

export interface Column {
  readonly head: string;
  /** Figures stand at the end of their column. */
  readonly isNumber?: boolean;
  /** Left out where the window is narrow; its cells have the class `spare`. */
  readonly isSpare?: boolean;
}

export const numberColumn = (head: string): Column => ({ head, isNumber: true });

const classOf = ({ isNumber, isSpare }: Column): string | undefined =>
  [isNumber && 'number', isSpare && 'spare'].filter(Boolean).join(' ') || undefined;

/**
 * A table that scrolls by itself where it is wider than the page. `children` are its rows; a column without a head
 * holds buttons.
 */
export function Table({
  columns = [],
  children,
}: {
  /** None: rows that speak for themselves. */
  columns?: readonly (Column | string | undefined)[];
  children: ReactNode;
}) {
  const heads = columns.map((column) => (typeof column === 'string' ? { head: column } : column));
  return (
    <div className="scroll-x">
      <table className="table">
        {heads.length > 0 && (
          <thead>
            <tr>
              {heads.map((column, i) =>
                column ? (
                  <th key={column.head} scope="col" className={classOf(column)}>
                    {column.head}
                  </th>
                ) : (
                  // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
                  <td key={i} />
                ),
              )}
            </tr>
          </thead>
        )}
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
