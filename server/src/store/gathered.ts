/**
 * Answers many small questions at once. Those that come in the same turn of the event loop, or while the batch before
 * is under way, are asked together: a statement for eight rows costs little more than one for one row.
 *
 * A batch that fails fails for all that are in it, so `askAll` must not depend on what a single question says.
 *
 * @param askAll answers in the order of the questions
 */
export function openGathered<Question, Answer>(
  askAll: (questions: Question[]) => Promise<Answer[]>,
  batchMax = 256,
): (question: Question) => Promise<Answer> {
  interface Waiting {
    readonly question: Question;
    resolve(answer: Answer): void;
    reject(error: unknown): void;
  }
  const waiting: Waiting[] = [];
  let isUnderWay = false;

  const ask = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchMax);
      try {
        const answers = await askAll(batch.map(({ question }) => question));
        for (let i = 0; i < batch.length; i++) (batch[i] as Waiting).resolve(answers[i] as Answer);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isUnderWay = false;
  };

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject });
      if (isUnderWay) return;
      isUnderWay = true;
      setImmediate(() => void ask());
    });
}
