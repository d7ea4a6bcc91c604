/** Said in the metadata of a version whose type promises more than this server does. */
export function trainingNote(typeId: string): string | undefined {
  if (typeId !== 'visual-classifier') return undefined;
  return (
    'Trained on this server as a classifier on the embeddings of a frozen network; the network itself is not ' +
    'fine-tuned, whatever the template is called, and its hyper-parameters are kept but not used.'
  );
}
