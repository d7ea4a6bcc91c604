"""Bringing data in with the official Python SDK, against a running server: its own loaders, and archives in parts.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/bring_data.py

Ends with 0 when all that went in is there, byte for byte, and nothing else.
"""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import uuid
import zipfile

import requests
from clarifai.client.app import App
from clarifai.client.dataset import Dataset
from clarifai.client.user import User
from clarifai.datasets.export.inputs_annotations import DatasetExportReader
from clarifai.datasets.upload.base import ClarifaiDataLoader
from clarifai.datasets.upload.features import VisualClassificationFeatures
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from PIL import Image

SUCCESS, UPLOAD_DONE, JOB_COMPLETED = 10000, 68001, 64002


def picture(n: int) -> bytes:
    """A small PNG that no other number makes."""
    file = io.BytesIO()
    Image.new('RGB', (32, 24), (n % 256, n * 7 % 256, n * 31 % 256)).save(file, 'PNG')
    return file.getvalue()


def main() -> None:
    user_id, base = os.environ['CLARIFAI_USER_ID'], os.environ['CLARIFAI_API_BASE']
    auth = dict(user_id=user_id, pat=os.environ['CLARIFAI_PAT'], base_url=base)
    app_id = f'python-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='Empty')
    try:
        for step in (folders, csv_files, csv_of_files, texts, videos, loader, coco, clean_up, archive_in_parts):
            step(app)
            print(step.__name__, 'ok')
    finally:
        user.delete_app(app_id)
    print('ok')


def inputs_of(app: App, dataset_id: str) -> list:
    return list(app.inputs().list_inputs(dataset_id=dataset_id))


def folders(app: App) -> None:
    """A folder of pictures comes in under the names of its files, labelled by the folder, byte for byte."""
    sent = {}
    dataset = app.create_dataset(dataset_id='folders')
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f'{folder}/cats')
        for i in range(20):
            sent[f'cat{i}'] = picture(i)
            with open(f'{folder}/cats/cat{i}.png', 'wb') as file:
                file.write(sent[f'cat{i}'])
        dataset.upload_from_folder(f'{folder}/cats', input_type='image', labels=True)
    found = inputs_of(app, 'folders')
    assert {one.id for one in found} == set(sent), [one.id for one in found]
    assert all([c.name for c in one.data.concepts] == ['cats'] for one in found)
    got = app.inputs().download_inputs(found)
    assert sorted(hashlib.md5(one).hexdigest() for one in got) == sorted(
        hashlib.md5(one).hexdigest() for one in sent.values()
    )


def csv_files(app: App) -> None:
    """Rows of a CSV come in with their ids, texts, concepts, metadata and places."""
    dataset = app.create_dataset(dataset_id='csv')
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/rows.csv'
        with open(path, 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['inputid', 'input', 'concepts', 'metadata', 'geopoints'])
            for i in range(10):
                writer.writerow([f'row{i}', f'text number {i}', 'odd' if i % 2 else 'even', "{'n': %d}" % i, f'{i}.5,{i}'])
        dataset.upload_from_csv(path, input_type='text', csv_type='raw', labels=True)
    found = {one.id: one for one in inputs_of(app, 'csv')}
    assert set(found) == {f'row{i}' for i in range(10)}, sorted(found)
    for i in range(10):
        one = found[f'row{i}'].data
        assert [c.name for c in one.concepts] == ['odd' if i % 2 else 'even']
        assert one.metadata['n'] == i
        assert (one.geo.geo_point.longitude, one.geo.geo_point.latitude) == (i + 0.5, i)


def csv_of_files(app: App) -> None:
    """Rows of a CSV that name files: pictures byte for byte."""
    dataset = app.create_dataset(dataset_id='csv-files')
    sent = {f'file{i}': picture(600 + i) for i in range(6)}
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/rows.csv'
        with open(path, 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['inputid', 'input', 'concepts'])
            for id, data in sent.items():
                with open(f'{folder}/{id}.png', 'wb') as out:
                    out.write(data)
                writer.writerow([id, f'{folder}/{id}.png', 'filed'])
        dataset.upload_from_csv(path, input_type='image', csv_type='file_path', labels=True)
    found = inputs_of(app, 'csv-files')
    assert {one.id for one in found} == set(sent), [one.id for one in found]
    assert all([c.name for c in one.data.concepts] == ['filed'] for one in found)
    got = {hashlib.md5(one).hexdigest() for one in app.inputs().download_inputs(found)}
    assert got == {hashlib.md5(one).hexdigest() for one in sent.values()}


def videos(app: App) -> None:
    """A video from a file: what it is, and its very bytes. Without an ffmpeg here there is none to send."""
    if shutil.which('ffmpeg') is None:
        print('videos: no ffmpeg to make one with')
        return
    app.create_dataset(dataset_id='videos')
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/clip.mp4'
        made = 'ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=10:duration=2 -pix_fmt yuv420p'
        subprocess.run([*made.split(), path], check=True)
        with open(path, 'rb') as file:
            sent = file.read()
        app.inputs().upload_from_file(input_id='clip', video_file=path, dataset_id='videos', labels=['moving'])
    deadline = time.time() + 60
    while time.time() < deadline:
        clip = app.inputs().get_input(input_id='clip')
        if clip.status.code == 30000:
            break
        time.sleep(0.2)
    assert clip.status.code == 30000, clip.status
    info = clip.data.video.video_info
    assert (info.width, info.height, info.frame_count) == (64, 48, 20), info
    assert [c.name for c in clip.data.concepts] == ['moving']
    hosted = clip.data.video.hosted
    session = requests.Session()
    session.headers.update({'Authorization': f"Key {os.environ['CLARIFAI_PAT']}"})
    assert session.get(f'{hosted.prefix}/orig/{hosted.suffix}').content == sent


def texts(app: App) -> None:
    """A folder of texts, and one text by itself; what cannot come in is taken away again by the SDK, and nothing else."""
    dataset = app.create_dataset(dataset_id='texts')
    with tempfile.TemporaryDirectory() as folder:
        for i in range(5):
            with open(f'{folder}/t{i}.txt', 'w') as file:
                file.write(f'a text in a folder, {i}')
        dataset.upload_from_folder(folder, input_type='text', labels=False)
    app.inputs().upload_text(input_id='single', raw_text='by itself', dataset_id='texts')
    deadline = time.time() + 30
    while len(inputs_of(app, 'texts')) < 6 and time.time() < deadline:
        time.sleep(0.2)
    assert {one.id for one in inputs_of(app, 'texts')} == {*(f't{i}' for i in range(5)), 'single'}


class Pictures(ClarifaiDataLoader):
    """A data loader as users write them."""

    def __init__(self, folder: str, count: int):
        self.folder, self.count = folder, count

    @property
    def task(self):
        return 'visual_classification'

    def load_data(self) -> None:
        for i in range(self.count):
            with open(f'{self.folder}/{i}.png', 'wb') as file:
                file.write(picture(100 + i))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int):
        return VisualClassificationFeatures(image_path=f'{self.folder}/{i}.png', labels=['new'], id=str(i))


def loader(app: App) -> None:
    """Dataset.upload_dataset in batches; the same again adds nothing."""
    dataset: Dataset = app.create_dataset(dataset_id='loader')
    with tempfile.TemporaryDirectory() as folder:
        data = Pictures(folder, 40)
        data.load_data()
        dataset.upload_dataset(dataloader=data, batch_size=16)
        first = sorted(one.id for one in inputs_of(app, 'loader'))
        assert first == sorted(f'loader-{i}' for i in range(40)), first
        dataset.upload_dataset(dataloader=data, batch_size=16)
    assert sorted(one.id for one in inputs_of(app, 'loader')) == first


COCO_SIZE = 48


def coco(app: App) -> None:
    """A COCO set by the SDK's own loader, and out again as a version by its own reader: every box where it was."""
    try:
        from clarifai.datasets.upload.loaders.coco_detection import COCODetectionDataLoader
    except ImportError:
        print('coco: pycocotools is not installed')
        return
    dataset: Dataset = app.create_dataset(dataset_id='coco')
    boxes = {
        id: [[(id + k) % 20, 3 * k, 8 + k, 10.5] for k in range(id % 4)] for id in range(1, 25)
    }
    with tempfile.TemporaryDirectory() as folder:
        for id in boxes:
            file = io.BytesIO()
            Image.new('RGB', (COCO_SIZE, COCO_SIZE), (id * 9, 255 - id, id)).save(file, 'PNG')
            with open(f'{folder}/{id}.png', 'wb') as out:
                out.write(file.getvalue())
        images = [{'id': id, 'file_name': f'{id}.png', 'width': COCO_SIZE, 'height': COCO_SIZE} for id in boxes]
        annotations = [
            {'image_id': id, 'category_id': 1 + k % 2, 'bbox': bbox, 'area': bbox[2] * bbox[3], 'iscrowd': 0}
            for id, own in boxes.items()
            for k, bbox in enumerate(own)
        ]
        for n, one in enumerate(annotations):
            one['id'] = n + 1
        with open(f'{folder}/labels.json', 'w') as file:
            json.dump(
                {
                    'images': images,
                    'annotations': annotations,
                    'categories': [{'id': 1, 'name': 'Red Car'}, {'id': 2, 'name': 'tree'}],
                },
                file,
            )
        data = COCODetectionDataLoader(folder, f'{folder}/labels.json')
        dataset.upload_dataset(dataloader=data, batch_size=8)
    assert {one.id for one in inputs_of(app, 'coco')} == {f'coco-{id}' for id in boxes}
    version = dataset.create_version(description='out again')
    auth = dict(user_id=os.environ['CLARIFAI_USER_ID'], pat=os.environ['CLARIFAI_PAT'])
    ready = Dataset(
        dataset_id='coco',
        dataset_version_id=version.version.id,
        app_id=app.id,
        base_url=os.environ['CLARIFAI_API_BASE'],
        **auth,
    )
    session = requests.Session()
    session.headers.update({'Authorization': f"Key {auth['pat']}"})
    with DatasetExportReader(session=session, archive_url=ready.archive_zip()) as reader:
        read = {one.id: one.data for one in reader}
    assert read.keys() == {f'coco-{id}' for id in boxes}, sorted(read)
    for id, own in boxes.items():
        found = sorted(
            (*(round(x * COCO_SIZE, 2) for x in (b.left_col, b.top_row, b.right_col, b.bottom_row)), name)
            for region in read[f'coco-{id}'].regions
            for b, name in [(region.region_info.bounding_box, region.data.concepts[0].name)]
        )
        wanted = sorted(
            (x, y, x + w, y + h, 'tree' if k % 2 else 'red-car') for k, (x, y, w, h) in enumerate(own)
        )
        assert len(found) == len(wanted), (id, found, wanted)
        for got, want in zip(found, wanted):
            assert got[4] == want[4] and all(abs(a - b) < 0.02 for a, b in zip(got[:4], want[:4])), (id, got, want)


class SomeBroken(Pictures):
    """Three files of these are no pictures."""

    broken = {3, 11, 17}

    def load_data(self) -> None:
        super().load_data()
        for i in self.broken:
            with open(f'{self.folder}/{i}.png', 'wb') as file:
                file.write(b'no picture at all')


def clean_up(app: App) -> None:
    """What cannot be processed is tried again and taken away by the SDK; what is good stays, and so does what was there."""
    dataset: Dataset = app.create_dataset(dataset_id='cleaned')
    good = {f'cleaned-{i}' for i in range(20) if i not in SomeBroken.broken}
    with tempfile.TemporaryDirectory() as folder:
        data = SomeBroken(folder, 20)
        data.load_data()
        dataset.upload_dataset(dataloader=data, batch_size=8)
        assert {one.id for one in inputs_of(app, 'cleaned')} == good
        everywhere = {one.id for one in app.inputs().list_inputs()}
        assert not {f'cleaned-{i}' for i in SomeBroken.broken} & everywhere, everywhere
        # Mended, the same set adds what was missing and touches nothing else.
        before = {one.id: one.created_at.ToNanoseconds() for one in inputs_of(app, 'cleaned')}
        Pictures.load_data(data)
        dataset.upload_dataset(dataloader=data, batch_size=8)
        after = {one.id: one.created_at.ToNanoseconds() for one in inputs_of(app, 'cleaned')}
    assert set(after) == {f'cleaned-{i}' for i in range(20)}, sorted(after)
    assert all(after[id] == at for id, at in before.items())


def archive_in_parts(app: App) -> None:
    """PostInputsUploads and PutUploadContentParts: parts in reverse order, a tar.gz inside a zip."""
    scope = app.user_app_id

    def call(rpc: str, request):
        return app._grpc_request(getattr(app.STUB, rpc), request)

    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode='w:gz') as tar:
        for i in range(15):
            data = picture(300 + i)
            info = tarfile.TarInfo(f'{"deep/" * 25}inner{i}.png')
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, 'w', zipfile.ZIP_DEFLATED) as file:
        for i in range(15):
            file.writestr(f'pictures/outer{i}.png', picture(400 + i))
        file.writestr('inner.tar.gz', inner.getvalue())
    content = outer.getvalue()
    app.create_dataset(dataset_id='archive')
    template = resources_pb2.Input(
        dataset_ids=['archive'],
        data=resources_pb2.Data(concepts=[resources_pb2.Concept(id='packed', value=1)]),
    )
    upload = resources_pb2.Upload(content_name='pictures.zip', content_length=len(content))
    reply = call(
        'PostInputsUploads',
        service_pb2.PostInputsUploadsRequest(
            user_app_id=scope,
            inputs_uploads=[resources_pb2.InputsUpload(upload=upload, input_template=template)],
        ),
    )
    assert reply.status.code == SUCCESS, reply.status
    job = reply.inputs_add_jobs[0]
    starts = list(range(0, len(content), 1000))
    for number in reversed(range(len(starts))):
        start = starts[number]
        part = resources_pb2.UploadContentPart(
            part_number=number + 1, range_start=start, data=content[start : start + 1000]
        )
        put = call(
            'PutUploadContentParts',
            service_pb2.PutUploadContentPartsRequest(
                user_app_id=scope, upload_id=job.uploads[0].id, content_parts=[part]
            ),
        )
        assert put.status.code == SUCCESS, put.status
    assert put.upload.status.code == UPLOAD_DONE, put.upload
    deadline = time.time() + 60
    while time.time() < deadline:
        asked = service_pb2.GetInputsAddJobRequest(user_app_id=scope, id=job.id)
        job = call('GetInputsAddJob', asked).inputs_add_job
        if job.status.code == JOB_COMPLETED:
            break
        time.sleep(0.2)
    assert job.status.code == JOB_COMPLETED and job.progress.success_count == 30, job
    assert job.extraction_jobs[0].progress.image_inputs_count == 30, job
    assert job.extraction_jobs[0].progress.completed_archives_count == 2, job
    found = inputs_of(app, 'archive')
    assert {one.id for one in found} == {f'{kind}{i}.png' for kind in ('inner', 'outer') for i in range(15)}
    assert all([c.id for c in one.data.concepts] == ['packed'] for one in found)


if __name__ == '__main__':
    main()
