"""A dataset version with the official Python SDK: made, exported, and read back with the SDK's own reader.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0 pycocotools
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/dataset_export.py

Ends with 0 when what comes out is what went in. The COCO archive is read with pycocotools where that is installed.
"""

import io
import json
import os
import tempfile
import time
import uuid
import zipfile

import requests
from clarifai.client.dataset import Dataset
from clarifai.client.user import User
from clarifai.datasets.export.inputs_annotations import DatasetExportReader
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf.struct_pb2 import Struct
from PIL import Image

COCO = resources_pb2.DatasetVersionExportFormat.COCO
STILL_MAKING = {64201, 64203}
SIZE = 40
BOXES = {'picture-0': [(0.1, 0.2, 0.5, 0.6)], 'picture-1': [(0, 0, 1, 1), (0.25, 0.25, 0.5, 0.75)]}


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (SIZE, SIZE), (shade, 255 - shade, shade // 2)).save(file, 'PNG')
    return file.getvalue()


def struct(values: dict) -> Struct:
    made = Struct()
    made.update(values)
    return made


def main() -> None:
    user_id, base = os.environ['CLARIFAI_USER_ID'], os.environ['CLARIFAI_API_BASE']
    auth = dict(user_id=user_id, pat=os.environ['CLARIFAI_PAT'], base_url=base)
    app_id = f'export-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='Empty')
    try:
        run(app, dict(auth, app_id=app_id))
    finally:
        user.delete_app(app_id)
    print('ok')


def run(app, scope: dict) -> None:
    pictures = {f'picture-{n}': picture(n * 20) for n in range(10)}
    app.create_dataset(dataset_id='kept')
    inputs = app.inputs()
    made = [
        inputs.get_input_from_bytes(
            input_id=id,
            image_bytes=data,
            dataset_id='kept',
            labels=['even' if n % 2 == 0 else 'odd'],
            metadata=struct({'number': n}),
        )
        for n, (id, data) in enumerate(pictures.items())
    ]
    inputs.upload_inputs(made)
    wait_until(lambda: app.get_input_count() == len(pictures), 'inputs are processed')
    regions = [
        inputs.get_bbox_proto(input_id=id, label='thing', bbox=[left, top, right, bottom])
        for id, boxes in BOXES.items()
        for top, left, bottom, right in boxes
    ]
    inputs.upload_annotations(regions)

    dataset = Dataset(dataset_id='kept', **scope)
    version = dataset.create_version(description='to be exported')
    ready = Dataset(dataset_id='kept', dataset_version_id=version.version.id, **scope)
    url = ready.archive_zip()
    session = requests.Session()
    session.headers.update({'Authorization': f"Key {scope['pat']}"})
    with DatasetExportReader(session=session, archive_url=url) as reader:
        assert len(reader) == len(pictures), len(reader)
        read = {one.id: one for one in reader}
    assert read.keys() == pictures.keys()
    for n, (id, data) in enumerate(pictures.items()):
        one = read[id].data
        assert [concept.name for concept in one.concepts] == ['even' if n % 2 == 0 else 'odd'], one.concepts
        assert one.metadata['number'] == n
        hosted = one.image.hosted
        assert session.get(f'{hosted.prefix}/orig/{hosted.suffix}').content == data, id
        boxes = sorted(boxes_of(one))
        wanted = sorted(tuple(round(x, 4) for x in box) for box in BOXES.get(id, []))
        assert boxes == wanted, (id, boxes)
        assert all(region.data.concepts[0].name == 'thing' for region in one.regions)
    print('read back', len(read), 'inputs with', sum(len(one.data.regions) for one in read.values()), 'regions')

    with tempfile.TemporaryDirectory() as folder:
        ready.export(save_path=f'{folder}/all.zip', archive_url=url)
        names = zipfile.ZipFile(f'{folder}/all.zip').namelist()
        assert len([name for name in names if name.startswith('all/inputs/')]) == len(pictures), names
        check_coco(ready, session, folder)


def boxes_of(data):
    for region in data.regions:
        box = region.region_info.bounding_box
        yield tuple(round(x, 4) for x in (box.top_row, box.left_col, box.bottom_row, box.right_col))


def check_coco(dataset: Dataset, session: requests.Session, folder: str) -> None:
    try:
        from pycocotools.coco import COCO as Reader
    except ImportError:
        print('pycocotools is not installed; the COCO archive is not read')
        return
    request = service_pb2.PutDatasetVersionExportsRequest(
        user_app_id=dataset.user_app_id,
        dataset_id='kept',
        dataset_version_id=dataset.version.id,
        exports=[resources_pb2.DatasetVersionExport(format=COCO)],
    )
    export = wait_until(lambda: settled(dataset, request), 'the COCO archive')
    assert export.status.code == 64200, export.status
    archive = zipfile.ZipFile(io.BytesIO(session.get(export.url).content))
    assert archive.testzip() is None
    path = f'{folder}/annotations.json'
    with open(path, 'wb') as file:
        file.write(archive.read('annotations/instances_default.json'))
    coco = Reader(path)
    assert len(coco.getImgIds()) == 10
    (category,) = coco.getCatIds(catNms=['thing'])
    found = coco.loadAnns(coco.getAnnIds(catIds=[category]))
    assert len(found) == 3, json.dumps(found)
    wanted = sorted(
        [left * SIZE, top * SIZE, (right - left) * SIZE, (bottom - top) * SIZE]
        for boxes in BOXES.values()
        for top, left, bottom, right in boxes
    )
    for bbox, want in zip(sorted(one['bbox'] for one in found), wanted):
        assert all(abs(a - b) < 0.01 for a, b in zip(bbox, want)), (bbox, want)
    print('pycocotools reads', len(found), 'boxes')


def settled(dataset: Dataset, request):
    response = dataset._grpc_request(dataset.STUB.PutDatasetVersionExports, request)
    export = response.exports[0]
    return None if export.status.code in STILL_MAKING else export


def wait_until(look, what: str, seconds: float = 60):
    until = time.time() + seconds
    while time.time() < until:
        seen = look()
        if seen:
            return seen
        time.sleep(0.2)
    raise AssertionError(f'{what}: not within {seconds} s')


if __name__ == '__main__':
    main()
