"""Workflows from YAML and back, and evaluations, with the official Python SDK against a running server.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0 scikit-learn seaborn rich
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/workflows_and_evaluations.py

Ends with 0 when the SDK's own flows work, the exported YAML makes the same workflow again, and the figures of an
evaluation are those of scikit-learn on its test set.
"""

import os
import tempfile
import time
import uuid

import yaml
from clarifai.client.app import App
from clarifai.client.user import User
from clarifai.utils.evaluation.main import EvalResultCompare
from main_job import STILL_TRAINING, TRAINED, draw
from sklearn import metrics

MAIN = {'user_id': 'clarifai', 'app_id': 'main'}
WORKFLOW = {
    'workflow': {
        'id': 'crops',
        'nodes': [
            {'id': 'find', 'model': {'model_id': 'general-image-detection', **MAIN}},
            {
                'id': 'cut',
                # Not there yet: the SDK makes it from what the file says.
                'model': {
                    'model_id': 'wide-cropper',
                    'model_type_id': 'image-crop',
                    'description': 'cuts with a margin',
                    'output_info': {'params': {'margin': 1.5}},
                },
                'node_inputs': [{'node_id': 'find'}],
            },
            {
                'id': 'name',
                'model': {'model_id': 'general-image-recognition', **MAIN},
                'node_inputs': [{'node_id': 'cut'}],
            },
            {'id': 'embed', 'model': {'model_id': 'general-image-embedding', **MAIN}},
        ],
    }
}


def shape(nodes: list) -> list:
    """What two workflows have in common when they are the same."""
    return [
        (node['id'], node['model']['model_id'], [one['node_id'] for one in node.get('node_inputs', [])])
        for node in nodes
    ]


def workflows(app: App, folder: str) -> None:
    path = os.path.join(folder, 'crops.yml')
    with open(path, 'w', encoding='utf-8') as file:
        yaml.safe_dump(WORKFLOW, file)
    made = app.create_workflow(config_filepath=path)
    reply = made.predict_by_bytes(draw('rings', 1), input_type='image')
    outputs = reply.results[0].outputs
    assert [output.model.id for output in outputs] == [
        'general-image-detection', 'wide-cropper', 'general-image-recognition', 'general-image-embedding',
    ], outputs
    assert len(outputs[3].data.embeddings) == 1
    for found, cut in zip(outputs[0].data.regions, outputs[1].data.regions):
        assert found.region_info == cut.region_info and cut.data.image.base64
    assert len(list(made.list_versions())) == 1

    out = os.path.join(folder, 'exported.yml')
    made.export(out)
    with open(out, encoding='utf-8') as file:
        exported = yaml.safe_load(file)
    exported = exported.get('workflow', exported)
    assert shape(exported['nodes']) == shape(WORKFLOW['workflow']['nodes']), exported
    assert all(node['model']['model_version_id'] for node in exported['nodes'])

    again = os.path.join(folder, 'again.yml')
    with open(again, 'w', encoding='utf-8') as file:
        yaml.safe_dump({'workflow': {**exported, 'id': 'crops-again'}}, file)
    twin = app.create_workflow(config_filepath=again)
    twin.export(out)
    with open(out, encoding='utf-8') as file:
        second = yaml.safe_load(file)
    second = second.get('workflow', second)
    assert second['nodes'] == exported['nodes'], 'what is exported makes the same workflow again'
    print('workflows: YAML, predict, export and back')


def evaluations(app: App) -> None:
    dataset = app.create_dataset(dataset_id='shapes')
    for kind in ('rings', 'checks'):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f'{folder}/{kind}')
            for n in range(12):
                with open(f'{folder}/{kind}/{kind}-{n}.jpg', 'wb') as file:
                    file.write(draw(kind, n))
            # Waits until the pictures are processed.
            dataset.upload_from_folder(f'{folder}/{kind}', input_type='image', labels=True)
    model = app.create_model(model_id='shapes', model_type_id='embedding-classifier')
    version_id = post(model)
    while True:
        status = model.training_status(version_id=version_id)
        if status.code not in STILL_TRAINING:
            break
        time.sleep(0.2)
    assert status.code == TRAINED, status
    model.model_info.model_version.id = version_id
    assert len(model.list_evaluations()) == 0
    made = model.evaluate(dataset=dataset, eval_id='one', eval_info={'use_kfold': False})
    assert made[0].id == 'one'
    while True:
        found = model.get_eval_by_id(
            'one', label_counts=True, test_set=True, binary_metrics=True, confusion_matrix=True
        )
        if found.status.code not in (21301, 21303):
            break
        time.sleep(0.2)
    assert found.status.code == 21300, found.status
    assert len(model.list_evaluations()) == 1
    for one in found.binary_metrics:
        truth, scores = [], []
        for entry in found.test_set:
            truth.append(int(any(c.id == one.concept.id for c in entry.ground_truth_concepts)))
            scores.append(next(c.value for c in entry.predicted_concepts if c.id == one.concept.id))
        assert abs(one.roc_auc - metrics.roc_auc_score(truth, scores)) < 1e-6
        assert abs(one.avg_precision - metrics.average_precision_score(truth, scores)) < 1e-6
        said = [score >= 0.5 for score in scores]
        assert abs(one.f1 - metrics.f1_score(truth, said, zero_division=0)) < 1e-6
    compare = EvalResultCompare(models=[model], datasets=dataset)
    per_concept, total = compare.detailed_summary()
    assert set(per_concept['Concept']) == {'rings', 'checks'}, per_concept
    assert compare.confusion_matrix() is not None
    print('evaluations: figures are those of scikit-learn, and the SDK reads them')


def post(model) -> str:
    """Trains through the plain call: `train` wants a file of parameters."""
    from clarifai_grpc.grpc.api import resources_pb2, service_pb2
    from google.protobuf.struct_pb2 import Struct

    params = Struct()
    params.update({'dataset_id': 'shapes'})
    reply = model._grpc_request(
        model.STUB.PostModelVersions,
        service_pb2.PostModelVersionsRequest(
            user_app_id=model.user_app_id,
            model_id=model.id,
            model_versions=[
                resources_pb2.ModelVersion(
                    train_info=resources_pb2.TrainInfo(params=params),
                    output_info=resources_pb2.OutputInfo(
                        data=resources_pb2.Data(
                            concepts=[resources_pb2.Concept(id='rings'), resources_pb2.Concept(id='checks')]
                        )
                    ),
                )
            ],
        ),
    )
    assert reply.status.code == 10000, reply.status
    return reply.model.model_version.id


def main() -> None:
    auth = dict(
        user_id=os.environ['CLARIFAI_USER_ID'],
        pat=os.environ['CLARIFAI_PAT'],
        base_url=os.environ['CLARIFAI_API_BASE'],
    )
    app_id = f'python-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='General')
    try:
        with tempfile.TemporaryDirectory() as folder:
            workflows(app, folder)
        evaluations(app)
    finally:
        user.delete_app(app_id)
    print('ok')


if __name__ == '__main__':
    main()
