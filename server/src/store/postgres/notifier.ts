/** Sends a notification soon; the same one asked for twice meanwhile is sent once. */
export type Notify = (channel: string, payload: string) => void;

export type Notifier = { notify: Notify; flush(): Promise<void> };

/** Under load, notifications wait this long for others; an idle database sends at once. */
const gapMs = 5;

/**
 * Sends notifications beside the transactions that cause them.
 *
 * PostgreSQL lets only one transaction that notifies commit at a time, fsync included, which would cost every
 * writer the grouping of commits. Sent just after the commit instead, a notification can be lost when the
 * process dies in between, so who listens also looks at the table now and then.
 */
export function openNotifier(send: (channels: string[], payloads: string[]) => Promise<void>): Notifier {
  let waiting = new Map<string, [string, string]>();
  let sending: Promise<void> | undefined;

  const drain = async () => {
    while (waiting.size > 0) {
      const batch = [...waiting.values()];
      waiting = new Map();
      // A listener that misses this one finds the row at its next look.
      await send(
        batch.map(([channel]) => channel),
        batch.map(([, payload]) => payload),
      ).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, gapMs));
    }
    sending = undefined;
  };

  return {
    notify(channel, payload) {
      waiting.set(`${channel}\0${payload}`, [channel, payload]);
      sending ??= Promise.resolve().then(drain);
    },
    async flush() {
      await sending;
    },
  };
}
