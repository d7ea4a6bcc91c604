/**
 * Precision and recall of each concept, and the share of images whose surest concept was right.
 *
 * @param {{ truth: string, told: string }[]} answers
 */
export function scoreAnswers(answers) {
  const concepts = [...new Set(answers.flatMap(({ truth, told }) => [truth, told]))].sort();
  const rows = concepts.map((concept) => {
    const told = answers.filter((one) => one.told === concept);
    const real = answers.filter((one) => one.truth === concept);
    const right = told.filter((one) => one.truth === concept).length;
    return {
      concept,
      images: real.length,
      precision: told.length > 0 ? right / told.length : Number.NaN,
      recall: real.length > 0 ? right / real.length : Number.NaN,
    };
  });
  const right = answers.filter(({ truth, told }) => truth === told).length;
  return { accuracy: answers.length > 0 ? right / answers.length : Number.NaN, rows };
}

const percent = (share) => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);

/** Rows of cells as aligned text; the first column to the left, the others to the right. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   ')}`;
  return [
    line(rows[0]),
    `  ${widths.map((width) => '─'.repeat(width)).join('───')}`,
    ...rows.slice(1).map(line),
  ].join('\n');
}

/** The closing tables of the demo. */
export function report({ answers, query, near, labelled, timings }) {
  const { accuracy, rows } = scoreAnswers(answers);
  const quality = [
    ['concept', 'held out', 'precision', 'recall'],
    ...rows.map((row) => [row.concept, String(row.images), percent(row.precision), percent(row.recall)]),
    ['all', String(answers.length), 'accuracy', percent(accuracy)],
  ];
  const hitRows = (heading, hits) => [
    [heading, 'concept', 'score'],
    ...hits.map(({ id, concept, score }) => [id, concept, score.toFixed(4)]),
  ];
  const times = [
    ['step', 'seconds', 'per item'],
    ...timings.map(({ name, ms, items }) => [
      name,
      (ms / 1000).toFixed(2),
      items ? `${(ms / items).toFixed(1)} ms` : '',
    ]),
  ];
  return [
    quality,
    hitRows(`nearest to ${query.id} (${query.concept})`, near),
    hitRows(`surest of concept ${query.concept}`, labelled),
    times,
  ]
    .map(table)
    .join('\n\n');
}
