"""Training with the official Python SDK, against a running server: templates, parameters, train, status, log.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/training.py

Ends with 0 when every step did what the SDK's own documentation says.
"""

import os
import tempfile
import time
import uuid

from clarifai.client.user import User

from main_job import draw

TRAINED = 21100
STILL_TRAINING = {21101, 21103}
KINDS = ['rings', 'checks']


def wait(model, version_id: str, log: bool = False) -> int:
    for _ in range(1200):
        status = model.training_status(version_id=version_id, training_logs=log)
        if int(status.code) not in STILL_TRAINING:
            return int(status.code)
        time.sleep(0.2)
    raise AssertionError('the training did not end')


def run(app) -> None:
    dataset = app.create_dataset(dataset_id='patterns')
    inputs = app.inputs()
    protos = [
        inputs.get_input_from_bytes(f'{kind}-{i}', image_bytes=draw(kind, i), labels=[kind], dataset_id='patterns')
        for kind in KINDS
        for i in range(12)
    ]
    inputs.upload_inputs(protos)
    for _ in range(600):
        done = [one for one in inputs.list_inputs() if one.status.code == 30000]
        if len(done) == len(protos):
            break
        time.sleep(0.1)
    assert len(done) == len(protos), len(done)

    trainable = app.list_trainable_model_types()
    for wanted in ('visual-classifier', 'visual-detector', 'visual-segmenter', 'visual-embedder', 'clusterer', 'text-classifier', 'embedding-classifier', 'text-to-text'):
        assert wanted in trainable, trainable

    # visual-classifier: a template, its parameters, and the log that is fetched without a sign-in
    model = app.create_model(model_id='visual', model_type_id='visual-classifier')
    templates = model.list_training_templates()
    assert len(templates) >= 11 and 'MMClassification_EfficientNet' in templates, templates
    params = model.get_params(template='MMClassification_EfficientNet')
    assert params['train_params']['num_epochs'] == 30, params
    for name in ('num_epochs', 'invalid_data_tolerance_percent'):
        assert model.get_param_info(name), name
    model.update_params(dataset_id='patterns', concepts=KINDS, num_epochs=2)
    version_id = model.train()
    assert wait(model, version_id) == TRAINED
    model.training_status(version_id=version_id, training_logs=True)
    logs = [name for name in os.listdir('.') if name.endswith('.log')]
    assert logs and 'training' in open(logs[0]).read(), os.listdir('.')
    said = model.predict_by_bytes(draw('rings', 99), input_type='image').outputs[0].data.concepts
    assert said[0].id == 'rings', said

    for type_id in ('visual-detector', 'visual-segmenter', 'visual-embedder', 'text-classifier', 'text-to-text'):
        other = app.create_model(model_id=f'of-{type_id}', model_type_id=type_id)
        names = other.list_training_templates()
        assert names, type_id
        for name in names:
            other.get_params(template=name)

    # embedding-classifier, with defaults of its own
    model = app.create_model(model_id='transfer', model_type_id='embedding-classifier')
    model.get_params()
    model.update_params(dataset_id='patterns', concepts=KINDS)
    assert wait(model, model.train()) == TRAINED

    # clusterer: version 12.5.0 of the SDK cannot train one (it reads concepts that it did not set), only its parameters
    model = app.create_model(model_id='groups', model_type_id='clusterer')
    assert model.get_params()['train_params']['coarse_clusters'] == 32

    # visual-embedder, by its first template
    model = app.create_model(model_id='near', model_type_id='visual-embedder')
    model.get_params(template=model.list_training_templates()[0])
    model.update_params(dataset_id='patterns', concepts=KINDS)
    assert wait(model, model.train()) == TRAINED
    vector = model.predict_by_bytes(draw('rings', 97), input_type='image').outputs[0].data.embeddings[0]
    assert vector.num_dimensions == len(vector.vector) == 128


def main() -> None:
    auth = dict(user_id=os.environ['CLARIFAI_USER_ID'], pat=os.environ['CLARIFAI_PAT'], base_url=os.environ['CLARIFAI_API_BASE'])
    user = User(**auth)
    app_id = f'training-{uuid.uuid4().hex[:8]}'
    app = user.create_app(app_id=app_id, base_workflow='General')
    # The SDK writes parameters and logs into the working folder.
    folder = tempfile.TemporaryDirectory()
    os.chdir(folder.name)
    try:
        run(app)
    finally:
        user.delete_app(app_id)
    print('ok')


if __name__ == '__main__':
    main()
