"""A model of one's own with the official Python SDK: uploaded as `clarifai model upload` does, its build logs followed,
asked, exported, and the export brought back as another model that answers the same; text read out of a picture.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0 onnx pillow
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/model_files.py

Ends with 0 when all of it holds.
"""

import io
import json
import os
import tempfile
import time
import uuid

import numpy as np
import onnx
import yaml
from clarifai.client.model import Model
from clarifai.client.user import User
from clarifai.runners.models.model_builder import ModelBuilder
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFont

LABELS = ['red', 'green', 'blue']


def network() -> bytes:
    """The mean of each channel, times ten: a classifier of three colours."""
    nodes = [
        helper.make_node('GlobalAveragePool', ['pixel_values'], ['pooled']),
        helper.make_node('Flatten', ['pooled'], ['means'], axis=1),
        helper.make_node('Mul', ['means', 'ten'], ['logits']),
    ]
    graph = helper.make_graph(
        nodes,
        'colours',
        [helper.make_tensor_value_info('pixel_values', TensorProto.FLOAT, ['batch', 3, 8, 8])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, ['batch', 3])],
        [numpy_helper.from_array(np.array([10], np.float32), 'ten')],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8).SerializeToString()


def write_folder(folder: str, user_id: str, app_id: str) -> None:
    """The layout that the SDK packs: its Python code is looked at by the SDK and never run by the server."""
    os.makedirs(os.path.join(folder, '1'))
    config = {
        'model': {'id': 'colours', 'user_id': user_id, 'app_id': app_id, 'model_type_id': 'visual-classifier'},
        'build_info': {'python_version': '3.12'},
        'inference_compute_info': {'cpu_limit': '1', 'cpu_memory': '1Gi', 'num_accelerators': 0},
        'concepts': [{'id': label, 'name': label} for label in LABELS],
    }
    code = '''
from clarifai.runners.models.model_class import ModelClass


class Colours(ModelClass):
    def load_model(self):
        pass

    @ModelClass.method
    def predict(self, text: str) -> str:
        return text
'''
    fovea = {'task': 'image-classification', 'labels': LABELS, 'licence': 'CC0-1.0'}
    files = {
        'config.yaml': yaml.dump(config),
        'requirements.txt': 'clarifai\n',
        '1/model.py': code,
        '1/fovea.json': json.dumps(fovea),
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), 'w') as file:
            file.write(text)
    with open(os.path.join(folder, '1', 'model.onnx'), 'wb') as file:
        file.write(network())


def said(model: Model, picture: bytes) -> list:
    data = model.predict_by_bytes(picture, input_type='image').outputs[0].data
    return [(concept.name, concept.value) for concept in data.concepts]


def bring_back(app, model: Model, tar: bytes) -> Model:
    """Uploads an export by the RPC that the SDK uses, and waits as the SDK does."""
    app.create_model('again', model_type_id='visual-classifier')
    stub, who = model.STUB, app.user_app_id

    def messages():
        yield service_pb2.PostModelVersionsUploadRequest(
            upload_config=service_pb2.PostModelVersionsUploadConfig(
                user_app_id=who, model_id='again', total_size=len(tar), is_v3=True
            )
        )
        yield service_pb2.PostModelVersionsUploadRequest(
            content_part=resources_pb2.UploadContentPart(data=tar, part_number=1, range_start=len(tar))
        )

    replies = list(stub.PostModelVersionsUpload(messages()))
    version = replies[-1].model_version_id
    while True:
        reply = stub.GetModelVersion(
            service_pb2.GetModelVersionRequest(user_app_id=who, model_id='again', version_id=version)
        )
        if reply.model_version.status.code != 21107:
            assert reply.model_version.status.code == 21100, reply.model_version.status
            return app.model(model_id='again')
        time.sleep(0.2)


def plain(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new('RGB', (8, 8), colour).save(out, 'PNG')
    return out.getvalue()


def printed() -> bytes:
    page = Image.new('RGB', (900, 160), 'white')
    ImageDraw.Draw(page).text((30, 50), 'Invoice 4711 from Anna Berg', fill='black', font=ImageFont.load_default(40))
    out = io.BytesIO()
    page.save(out, 'PNG')
    return out.getvalue()


def run(app, auth: dict, app_id: str, folder: str) -> None:
    place = os.path.join(folder, 'colours')
    write_folder(place, auth['user_id'], app_id)
    builder = ModelBuilder(place, app_not_found_action='error')
    builder.upload_model_version()
    assert builder.model_version_id, 'the upload did not end with 21107'
    logs = builder.get_model_build_logs(1).log_entries
    assert builder.monitor_model_build() is True
    logs = builder.get_model_build_logs(1).log_entries
    assert logs and len({entry.url for entry in logs}) == len(logs), logs
    print(f'uploaded, built, {len(logs)} lines of log, the last one: {logs[-1].message}')

    model = app.model(model_id='colours', model_version={'id': builder.model_version_id})
    pictures = [plain(colour) for colour in ('red', 'blue')]
    answers = [said(model, picture) for picture in pictures]
    print('answers', [answer[0][0] for answer in answers])

    model.export(folder)
    with open(os.path.join(folder, 'model.tar'), 'rb') as file:
        tar = file.read()
    again = bring_back(app, model, tar)
    assert [said(again, picture) for picture in pictures] == answers
    print(f'exported ({len(tar)} bytes), brought back, the same answers')

    reader = Model(
        model_id='optical-character-recognizer',
        user_id='clarifai',
        app_id='main',
        pat=auth['pat'],
        base_url=auth['base_url'],
    )
    regions = reader.predict_by_bytes(printed(), input_type='image').outputs[0].data.regions
    texts = [region.data.text.raw for region in regions]
    assert texts == ['Invoice 4711 from Anna Berg'], texts
    print('read', texts)


def main() -> None:
    auth = dict(
        user_id=os.environ['CLARIFAI_USER_ID'],
        pat=os.environ['CLARIFAI_PAT'],
        base_url=os.environ['CLARIFAI_API_BASE'],
    )
    app_id = f'files-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='Empty')
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(app, auth, app_id, folder)
        finally:
            user.delete_app(app_id)
    print('ok')


if __name__ == '__main__':
    main()
