"""The main job with the official Python SDK, against a running server.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/main_job.py

Ends with 0 when every step did what the SDK's own documentation says.
"""

import io
import os
import random
import tempfile
import time
import uuid

from clarifai.client.app import App
from clarifai.client.model import Model
from clarifai.client.search import Search
from clarifai.client.user import User
from clarifai.client.workflow import Workflow
from PIL import Image, ImageDraw

TRAINED = 21100
STILL_TRAINING = {21101, 21103}
SIZE = 160


def draw(kind: str, seed: int) -> bytes:
    """A JPEG of rings or of checks in colours, size and place of its own; the same bytes for the same seed."""
    chance = random.Random(f'{kind} {seed}')
    colour = lambda low, high: tuple(chance.randint(low, high) for _ in range(3))
    image = Image.new('RGB', (SIZE, SIZE), colour(150, 255))
    pen = ImageDraw.Draw(image)
    ink, step = colour(0, 90), chance.randint(10, 22)
    if kind == 'rings':
        x, y = chance.randint(50, 110), chance.randint(50, 110)
        for radius in range(step, 2 * SIZE, step):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ink, width=step // 3)
    else:
        for i in range(0, SIZE // step + 1):
            for j in range(i % 2, SIZE // step + 1, 2):
                pen.rectangle((i * step, j * step, (i + 1) * step, (j + 1) * step), fill=ink)
    file = io.BytesIO()
    image.save(file, 'JPEG')
    return file.getvalue()


def main() -> None:
    user_id, base = os.environ['CLARIFAI_USER_ID'], os.environ['CLARIFAI_API_BASE']
    auth = dict(user_id=user_id, pat=os.environ['CLARIFAI_PAT'], base_url=base)
    app_id = f'python-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='General')
    # The SDK writes parameters into the working folder.
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    try:
        run(app, app_id, auth)
    finally:
        user.delete_app(app_id)
    assert app_id not in [one.id for one in user.list_apps()]
    print('ok')


def run(app: App, app_id: str, auth: dict) -> None:
    scope = dict(auth, app_id=app_id)
    dataset = app.create_dataset(dataset_id='kinds')
    with tempfile.TemporaryDirectory() as folder:
        for kind in ('rings', 'checks'):
            os.mkdir(f'{folder}/{kind}')
            for seed in range(8):
                with open(f'{folder}/{kind}/{kind}-{seed}.jpg', 'wb') as file:
                    file.write(draw(kind, seed))
            dataset.upload_from_folder(f'{folder}/{kind}', input_type='image', labels=True)
    inputs = app.inputs()
    listed = list(inputs.list_inputs(dataset_id='kinds'))
    assert len(listed) == 16, f'{len(listed)} inputs'
    inputs.upload_from_bytes(input_id='by-bytes', image_bytes=draw('rings', 100), labels=['by bytes'])
    assert {one.id for one in app.list_concepts()} >= {'rings', 'checks'}
    counts = app.get_input_count()
    print('uploaded', len(listed), 'and one more; counts', counts)

    model = app.create_model(model_id='kinds', model_type_id='embedding-classifier')
    parameters = model.get_params()
    print('parameters of an embedding-classifier:', parameters)
    model.update_params(dataset_id='kinds', concepts=['rings', 'checks'])
    version_id = model.train()
    code = 0
    for _ in range(600):
        code = model.training_status(version_id=version_id).code
        if code == TRAINED:
            break
        assert code in STILL_TRAINING, code
        time.sleep(0.2)
    assert code == TRAINED, code

    trained = Model(model_id='kinds', model_version={'id': version_id}, **scope)
    for kind in ('rings', 'checks'):
        output = trained.predict_by_bytes(draw(kind, 200), input_type='image').outputs[0]
        surest = max(output.data.concepts, key=lambda concept: concept.value)
        assert surest.id == kind, (kind, surest)
        print('predicted', kind, round(surest.value, 3))

    search = Search(top_k=3, **scope)
    hits = [hit for page in search.query(ranks=[{'image_bytes': draw('rings', 3)}]) for hit in page.hits]
    assert len(hits) == 3 and hits[0].input.id == 'rings-3', [(hit.input.id, hit.score) for hit in hits]
    print('nearest', [(hit.input.id, round(hit.score, 4)) for hit in hits])
    hits = [
        hit
        for page in search.query(filters=[{'concepts': [{'id': 'checks', 'value': 1}]}])
        for hit in page.hits
    ]
    assert hits and all(hit.input.id.startswith('checks') for hit in hits)

    with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
        file.write(
            'workflow:\n  id: tell\n  nodes:\n'
            '  - id: embed\n    model:\n      model_id: general-image-embedding\n'
            '      user_id: clarifai\n      app_id: main\n'
            f'  - id: tell\n    model:\n      model_id: kinds\n      model_version_id: {version_id}\n'
            '    node_inputs:\n    - node_id: embed\n'
        )
        file.flush()
        app.create_workflow(config_filepath=file.name, display=False)
    workflow = Workflow(workflow_id='tell', **scope)
    outputs = workflow.predict_by_bytes(draw('checks', 300), input_type='image').results[0].outputs
    assert outputs[-1].data.concepts[0].id == 'checks'

    assert [one.id for one in app.list_models()] == ['kinds']
    assert 'tell' in [one.id for one in app.list_workflows()]
    assert [one.id for one in app.list_datasets()] == ['kinds']
    app.delete_workflow('tell')
    app.delete_model('kinds')
    app.delete_dataset('kinds')


if __name__ == '__main__':
    main()
