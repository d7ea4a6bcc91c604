import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type TarFile, tarOf, zipOf } from '#testing/archives.ts';
import { signedIn } from '#testing/people.ts';
import { extracted, faultsOf, idsOf, picture, sendArchive } from './extraction.testing.ts';

const pictures = (n: number, from = 0) => Promise.all(Array.from({ length: n }, (_, i) => picture(from + i)));

test('an archive that was uploaded becomes inputs, named by its files and labelled by the template', async () => {
  const alice = await signedIn('alice');
  await alice.client.postDatasets({ datasets: [{ id: 'field' }] });
  const [one, two, three] = (await pictures(3)) as [Buffer, Buffer, Buffer];
  const zip = zipOf([
    { path: 'folder/', bytes: Buffer.alloc(0), method: 'store' },
    { path: 'folder/one.png', bytes: one },
    { path: 'folder/deep/two.png', bytes: two, method: 'store' },
    { path: 'note.txt', bytes: Buffer.from('a note') },
    { path: '__MACOSX/._one.png', bytes: randomBytes(20) },
    { path: '.DS_Store', bytes: randomBytes(20) },
    { path: 'pack.tar.gz', bytes: gzipSync(tarOf([{ path: 'three.png', bytes: three }])) },
  ]);
  const template = {
    data: { concepts: [{ id: 'cat', value: 1 }], metadata: { batch: 'first' } },
    datasetIds: ['field'],
  };
  const addJobId = await sendArchive(alice, zip, { template, partBytes: 700, addJobId: 'bring' });
  expect(addJobId).toBe('bring');
  const job = await extracted(alice, addJobId);
  expect(job).toMatchObject({
    status: { code: 64002, details: '' },
    progress: {
      imageInputsCount: 3n,
      textInputsCount: 1n,
      pendingArchivesCount: 0n,
      inProgressArchivesCount: 0n,
      completedArchivesCount: 2n,
      failedArchivesCount: 0n,
    },
    inputTemplate: { datasetIds: ['field'] },
  });
  expect(await idsOf(alice)).toEqual(['note.txt', 'one.png', 'three.png', 'two.png']);
  await expect
    .poll(async () => (await alice.client.getInputsAddJob({ id: addJobId })).inputsAddJob)
    .toMatchObject({
      status: { code: 64002 },
      progress: { pendingCount: 0n, inProgressCount: 0n, successCount: 4n, failedCount: 0n },
    });
  const { input } = await alice.client.getInput({ inputId: 'two.png' });
  expect(input?.data).toMatchObject({
    concepts: [{ id: 'cat', value: 1 }],
    metadata: { batch: 'first', folder: 'folder/deep' },
  });
  const plain = (await alice.client.getInput({ inputId: 'note.txt' })).input;
  expect(plain?.data?.metadata).toEqual({ batch: 'first' });
  const got = await fetch(input?.data?.image?.url as string, {
    headers: { authorization: `Key ${alice.pat}` },
  });
  expect(Buffer.from(await got.arrayBuffer()).equals(two)).toBe(true);
  expect((await alice.client.listDatasetInputs({ datasetId: 'field' })).datasetInputs).toHaveLength(4);
});

test.each(['zip', 'zip64', 'tar', 'tar.gz'])(
  'a %s of many files comes in whole, however it was cut into parts',
  async (form) => {
    const alice = await signedIn('alice');
    const files = (await pictures(300, 1000)).map((bytes, i) => ({
      path: `${'long/'.repeat(30)}p${i}.png`,
      bytes,
    }));
    const archive = form.startsWith('zip') ? zipOf(files, { zip64: form === 'zip64' }) : tarOf(files);
    const addJobId = await sendArchive(alice, form === 'tar.gz' ? gzipSync(archive) : archive, {
      partBytes: 9973,
    });
    const job = await extracted(alice, addJobId);
    expect([job.status?.code, job.status?.details, job.progress?.imageInputsCount]).toEqual([
      64002,
      '',
      300n,
    ]);
    expect(await idsOf(alice)).toEqual(files.map((_, i) => `p${i}.png`).sort());
  },
);

test.each(['zip', 'tar', 'tar.gz'])('a %s packed from inside its folder comes in whole', async (form) => {
  const alice = await signedIn('alice');
  const [one, two, hidden] = (await pictures(3, 2000)) as [Buffer, Buffer, Buffer];
  const files: TarFile[] = [
    { path: './', type: '5' },
    { path: './one.png', bytes: one },
    { path: './street/', type: '5' },
    { path: './street/two.png', bytes: two },
    { path: './street/.trash.png', bytes: hidden },
  ];
  const packed =
    form === 'zip'
      ? zipOf(files.map(({ path, bytes = Buffer.alloc(0) }) => ({ path, bytes, method: 'store' })))
      : tarOf(files);
  const job = await extracted(alice, await sendArchive(alice, form === 'tar.gz' ? gzipSync(packed) : packed));
  expect([job.status?.code, job.status?.details, job.progress?.imageInputsCount]).toEqual([64002, '', 2n]);
  expect(await idsOf(alice)).toEqual(['one.png', 'two.png']);
  const metadataOf = async (id: string) =>
    (await alice.client.getInput({ inputId: id })).input?.data?.metadata;
  expect(await metadataOf('two.png')).toEqual({ folder: 'street' });
  expect(await metadataOf('one.png')).toBeUndefined();
});

test('broken entries are reported one by one, and good ones stay', async () => {
  const alice = await signedIn('alice');
  const [a, b, c, d] = (await pictures(4)) as [Buffer, Buffer, Buffer, Buffer];
  const zip = zipOf([
    { path: 'good.png', bytes: a },
    { path: 'checksum.png', bytes: b, lie: { crc: 1 } },
    { path: 'longer.png', bytes: b, lie: { size: 5 } },
    { path: 'locked.png', bytes: b, lie: { flags: 1 } },
    { path: 'link.png', bytes: Buffer.from('/etc/passwd'), mode: 0o120777 },
    { path: '../out.png', bytes: c },
    { path: '/root.png', bytes: c },
    { path: 'C:\\win.png', bytes: c },
    { path: 'back\\slash.png', bytes: c },
    { path: 'nul\0.png', bytes: c },
    { path: 'sheet.csv', bytes: Buffer.from('a,b') },
    { path: 'empty.png', bytes: Buffer.alloc(0) },
    { path: 'twin/good.png', bytes: d },
    { path: 'last.png', bytes: d },
  ]);
  const job = await extracted(alice, await sendArchive(alice, zip));
  expect(job.status).toMatchObject({
    code: 64002,
    details: expect.stringContaining('12 files came to no input'),
  });
  expect(await idsOf(alice)).toEqual(['good.png', 'last.png']);
  const faults = await faultsOf(alice, job.id);
  expect(
    faults.map((line) => line.replace(/^photos\.zip\//, '').replace(/: is broken.*/, ': is broken')),
  ).toEqual(
    expect.arrayContaining([
      'checksum.png: is damaged: its checksum is wrong',
      'longer.png: is broken',
      'locked.png: is encrypted',
      'link.png: is a link or a device, not a file',
      '../out.png: leads out of the archive',
      '/root.png: has an absolute path',
      'twin/good.png: Input has a duplicate ID.',
      'sheet.csv: is no image, video, sound, text or archive that is known here',
      'empty.png: is empty',
    ]),
  );
  const { inputsAddJob } = await alice.client.getInputsAddJob({
    id: (await alice.client.listInputsAddJobs({})).inputsAddJobs[0]?.id as string,
  });
  expect(inputsAddJob?.progress?.failedCount).toBe(12n);
});

test('with SUFFIX files of the same name all come in', async () => {
  const alice = await signedIn('alice');
  const files = (await pictures(12, 50)).map((bytes, i) => ({ path: `${i}/same.png`, bytes }));
  const job = await extracted(alice, await sendArchive(alice, zipOf(files), { conflicts: 2 }));
  expect(job.status).toMatchObject({ code: 64002, details: '' });
  const ids = await idsOf(alice);
  expect(ids).toHaveLength(12);
  expect(ids).toEqual(
    expect.arrayContaining(['same.png', ...Array.from({ length: 9 }, (_, i) => `same.png-${i + 1}`)]),
  );
});

test('an archive that breaks off gives what came before it', async () => {
  const alice = await signedIn('alice');
  const files = (await pictures(20, 300)).map((bytes, i) => ({ path: `t${i}.png`, bytes }));
  const tar = tarOf(files);
  const job = await extracted(
    alice,
    await sendArchive(alice, tar.subarray(0, tar.length >> 1), { name: 'half.tar' }),
  );
  expect(job.progress?.imageInputsCount).toBeGreaterThan(5n);
  expect(job.progress?.failedArchivesCount).toBe(1n);
  expect((await faultsOf(alice, job.id)).at(-1)).toBe('half.tar: The archive ends in the middle.');
  const gz = gzipSync(randomBytes(200_000));
  const none = await extracted(alice, await sendArchive(alice, gz, { name: 'none.tar.gz' }));
  expect(none.status?.code).toBe(67000);
  for (const [name, bytes] of [
    ['junk.zip', randomBytes(5000)],
    ['cut.zip', zipOf(files.map((file) => ({ ...file }))).subarray(0, -30)],
    ['picture.png', await picture(1)],
  ] as const)
    expect((await extracted(alice, await sendArchive(alice, bytes, { name }))).status?.code).toBe(67000);
});

test('archives inside archives are opened to the depth that is set', async () => {
  const alice = await signedIn('alice');
  let nested = zipOf([{ path: 'core.png', bytes: await picture(9) }]);
  for (let depth = 4; depth >= 1; depth--)
    nested = zipOf([
      { path: `at${depth}.png`, bytes: await picture(100 + depth) },
      { path: `down${depth}.zip`, bytes: nested },
    ]);
  const job = await extracted(alice, await sendArchive(alice, nested));
  expect(await idsOf(alice)).toEqual(['at1.png', 'at2.png', 'at3.png', 'at4.png']);
  expect(await faultsOf(alice, job.id)).toEqual([
    'photos.zip/down1.zip/down2.zip/down3.zip/down4.zip: lies deeper than 3 archives inside each other',
  ]);
});

test('a bomb ends its archive, not the server, and what came before stays', async () => {
  const alice = await signedIn('alice');
  const zeros = Buffer.alloc(18_000_000);
  const [bmp] = [Buffer.concat([Buffer.from('BM'), zeros])];
  const bomb = zipOf([
    { path: 'first.png', bytes: await picture(1) },
    ...Array.from({ length: 12 }, (_, i) => ({ path: `b${i}.bmp`, bytes: bmp as Buffer })),
  ]);
  const job = await extracted(alice, await sendArchive(alice, bomb));
  expect(job.progress).toMatchObject({ failedArchivesCount: 1n });
  expect((await faultsOf(alice, job.id)).at(-1)).toBe(
    'photos.zip: The archive unpacks to more than 200 times its size.',
  );
  expect(await idsOf(alice)).toContain('first.png');
});

test('a job that is cancelled stops; what it had added stays, and the upload may go', async () => {
  const alice = await signedIn('alice');
  const made = await alice.client.postInputsUploads({
    inputsUploads: [{ inputsAddJobId: 'wait', upload: { contentLength: 10n } }],
  });
  expect(made.inputsAddJobs[0]).toMatchObject({
    id: 'wait',
    status: { code: 64001 },
    uploads: [{ status: { code: 68000 } }],
    extractionJobs: [{ status: { code: 64000 }, progress: { pendingArchivesCount: 1n } }],
  });
  const jobId = made.inputsAddJobs[0]?.extractionJobs[0]?.id as string;
  expect((await alice.client.cancelInputsExtractionJobs({ ids: [jobId, 'nobody'] })).status?.code).toBe(
    11101,
  );
  const cancelled = await alice.client.cancelInputsExtractionJobs({ ids: [jobId] });
  expect(cancelled.inputsExtractionJobs[0]?.status?.code).toBe(64004);
  expect(
    (await alice.client.getInputsExtractionJob({ inputsExtractionJobId: jobId })).inputsExtractionJob?.status
      ?.code,
  ).toBe(64004);
  expect((await alice.client.getInputsAddJob({ id: 'wait' })).inputsAddJob?.status?.code).toBe(64002);
  expect(
    (
      await alice.client.postInputsUploads({
        inputsUploads: [{ inputsAddJobId: 'wait', upload: { contentLength: 1n } }],
      })
    ).status?.code,
  ).toBe(64007);
  const gone = await alice.client.postInputsUploads({
    inputsUploads: [{ upload: { id: 'u2', contentLength: 10n } }],
  });
  await alice.client.deleteUploads({ ids: ['u2'] });
  const left = await alice.client.getInputsAddJob({ id: gone.inputsAddJobs[0]?.id as string });
  expect(left.inputsAddJob?.extractionJobs[0]?.status).toMatchObject({
    code: 64004,
    details: expect.stringContaining('was deleted'),
  });
  const fed = await alice.client.postInputsUploads({
    inputsUploads: [{ upload: { id: 'u3', contentLength: 10n } }],
  });
  const stopped = await alice.client.cancelInputsAddJob({ id: fed.inputsAddJobs[0]?.id as string });
  expect(stopped.inputsAddJob).toMatchObject({
    status: { code: 64004 },
    extractionJobs: [{ status: { code: 64004 } }],
  });
  expect((await alice.client.listInputsExtractionJobs({})).inputsExtractionJobs).toHaveLength(3);
  const bob = await signedIn('bob');
  expect((await bob.client.getInputsExtractionJob({ inputsExtractionJobId: jobId })).status?.code).toBe(
    11101,
  );
});

test('what a template cannot be is said before anything is sent', async () => {
  const alice = await signedIn('alice');
  for (const [inputTemplate, code, words] of [
    [{ id: 'x' }, 11102, 'input_template.id'],
    [{ data: { image: { url: 'https://a.example/x.png' } } }, 11102, 'input_template.data holds image'],
    [{ datasetIds: ['nowhere'] }, 11101, "no dataset 'nowhere'"],
  ] as const) {
    const { status } = await alice.client.postInputsUploads({
      inputsUploads: [{ inputTemplate, upload: { contentLength: 1n } }],
    } as never);
    expect(status).toMatchObject({ code, details: expect.stringContaining(words) });
  }
  expect((await alice.client.listUploads({})).uploads).toEqual([]);
});

test('entries that lie on one another end their archive; what came before stays', async () => {
  const alice = await signedIn('alice');
  const [one, two] = (await pictures(2, 400)) as [Buffer, Buffer];
  const again = (path: string) => ({ path, bytes: two, method: 'store' as const, lie: { offset: 0 } });
  const zip = zipOf([
    { path: 'first.png', bytes: one, method: 'store' },
    ...Array.from({ length: 40 }, (_, i) => again(`over${i}.png`)),
  ]);
  // Only one copy of the bytes is there, however often the directory names it.
  const local = zipOf([{ path: 'first.png', bytes: one, method: 'store' }]);
  const size = 30 + 'first.png'.length + one.length;
  const directory = zip.subarray(zip.indexOf(Buffer.from('504b0102', 'hex')));
  const lies = Buffer.concat([local.subarray(0, size), directory]);
  lies.writeUInt32LE(size, lies.length - 6);
  const job = await extracted(alice, await sendArchive(alice, lies));
  expect((await faultsOf(alice, job.id)).at(-1)).toBe(
    'photos.zip: The archive is broken: its entries overlap.',
  );
  expect(await idsOf(alice)).toEqual(['first.png']);
});

test('links, devices and pipes in a tar are noted one by one, and nothing is made of them', async () => {
  const alice = await signedIn('alice');
  const types = { hard: '1', soft: '2', char: '3', block: '4', pipe: '6' };
  const files: TarFile[] = [
    { path: 'a.png', bytes: await picture(420) },
    ...Object.entries(types).map(([name, type]) => ({ path: `${name}.png`, type })),
    { path: 'b.png', bytes: await picture(421) },
  ];
  const job = await extracted(alice, await sendArchive(alice, tarOf(files), { name: 'odd.tar' }));
  expect(job.status?.code).toBe(64002);
  expect(await idsOf(alice)).toEqual(['a.png', 'b.png']);
  expect(await faultsOf(alice, job.id)).toEqual(
    Object.keys(types).map((name) => `odd.tar/${name}.png: is a link or a device, not a file`),
  );
});
