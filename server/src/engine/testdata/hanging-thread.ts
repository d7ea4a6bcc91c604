import { parentPort } from 'node:worker_threads';

/** Answers a number with its double; hangs on `hang`, dies on `die`, says no to anything else. */
parentPort?.on('message', (question: unknown) => {
  if (question === 'hang') for (;;);
  if (question === 'die') process.exit(3);
  parentPort?.postMessage(
    typeof question === 'number' ? { answer: question * 2 } : { reason: 'this is no number' },
  );
});
