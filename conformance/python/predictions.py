"""Predictions with the official Python SDK: by bytes, by file, by URL and by an input's id, for each kind of input.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0 rich
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/predictions.py

The server has to be allowed to fetch from this machine (FOVEA_FETCH_ALLOW=127.0.0.1). Videos need an ffmpeg on the
path and are left out where there is none. Ends with 0 when every way gives the same answer.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import yaml
from clarifai.client.model import Model
from clarifai.client.user import User
from clarifai.client.workflow import Workflow
from clarifai_grpc.grpc.api import resources_pb2
from main_job import draw

PLATFORM = {'user_id': 'clarifai', 'app_id': 'main'}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def serve(folder: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def said(data) -> list:
    """What a prediction says, without ids that are new each time."""
    frames = [(frame.frame_info.time, said(frame.data)) for frame in data.frames]
    concepts = [(concept.id, round(concept.value, 4)) for concept in data.concepts]
    boxes = [
        (round(r.region_info.bounding_box.top_row, 4), round(r.value, 4), r.data.concepts[0].id)
        for r in data.regions
    ]
    vectors = [[round(x, 4) for x in e.vector] for e in data.embeddings]
    return [concepts, boxes, vectors, frames]


def every_way(kind: str, path: str, url: str, stored: str, model: Model) -> list:
    with open(path, 'rb') as file:
        content = file.read()
    replies = {
        'bytes': model.predict_by_bytes(content, input_type=kind),
        'file': model.predict_by_filepath(path, input_type=kind),
        'url': model.predict_by_url(url, input_type=kind),
    }
    answers = {way: said(reply.outputs[0].data) for way, reply in replies.items()}
    for way, answer in answers.items():
        assert answer == answers['bytes'], (kind, way, answer, answers['bytes'])
    # By id, from the app that holds the input: the platform's model is asked by the app's workflow.
    assert stored
    return answers['bytes']


def by_id(app, auth: dict, name: str, kind: str, model_id: str, stored: str, path: str) -> list:
    """A workflow of one node, asked for an input of the app, and for its bytes, file and URL."""
    file = os.path.join(os.path.dirname(path), f'{name}.yml')
    node = {'id': 'only', 'model': {'model_id': model_id, **PLATFORM}}
    with open(file, 'w', encoding='utf-8') as out:
        yaml.safe_dump({'workflow': {'id': name, 'nodes': [node]}}, out)
    app.create_workflow(config_filepath=file)
    workflow = Workflow(workflow_id=name, app_id=app.id, **auth)
    reply = workflow.predict([resources_pb2.Input(id=stored)])
    by_path = workflow.predict_by_filepath(path, input_type=kind)
    answer = said(reply.results[0].outputs[0].data)
    assert answer == said(by_path.results[0].outputs[0].data), (kind, 'by id')
    return answer


def make_video(path: str, folder: str) -> bool:
    if shutil.which('ffmpeg') is None:
        return False
    for n in range(4):
        with open(f'{folder}/frame-{n}.jpg', 'wb') as file:
            file.write(draw('rings' if n < 2 else 'checks', n))
    command = ['ffmpeg', '-loglevel', 'error', '-framerate', '2', '-i', f'{folder}/frame-%d.jpg']
    subprocess.run([*command, '-pix_fmt', 'yuv420p', path], check=True)
    return True


def wait(inputs, count: int) -> None:
    for _ in range(600):
        if len([one for one in inputs.list_inputs() if one.status.code == 30000]) >= count:
            return
        time.sleep(0.2)
    raise AssertionError('the inputs were not processed')


def run(app, auth: dict, folder: str, base: str) -> None:
    inputs = app.inputs()
    picture, text, video = (os.path.join(folder, name) for name in ('rings.jpg', 'words.txt', 'film.mp4'))
    with open(picture, 'wb') as file:
        file.write(draw('rings', 5))
    with open(text, 'w', encoding='utf-8') as file:
        file.write('Wie schön ist doch der Morgen, wenn die Sonne über den Bergen aufgeht.')
    has_video = make_video(video, folder)
    inputs.upload_from_file('picture', image_file=picture)
    with open(text, encoding='utf-8') as file:
        inputs.upload_text('words', raw_text=file.read())
    if has_video:
        inputs.upload_from_file('film', video_file=video)
    wait(inputs, 3 if has_video else 2)

    detect = Model(model_id='general-image-embedding', **PLATFORM, **{k: auth[k] for k in ('pat', 'base_url')})
    answer = every_way('image', picture, f'{base}/rings.jpg', 'picture', detect)
    assert len(answer[2][0]) == 256
    stored = by_id(app, auth, 'see', 'image', 'general-image-embedding', 'picture', picture)
    assert stored == answer
    print('pictures: by bytes, file, URL and id')

    model = app.create_model(model_id='language', model_type_id='language-id-operator')
    model = model.create_version()
    answer = every_way('text', text, f'{base}/words.txt', 'words', model)
    assert answer[0][0][0] == 'de', answer
    reply = model.predict([resources_pb2.Input(id='words')])
    assert said(reply.outputs[0].data) == answer
    print('texts: by bytes, file, URL and id')

    if not has_video:
        print('videos: left out, there is no ffmpeg')
        return
    look = Model(model_id='color-recognition', **PLATFORM, **{k: auth[k] for k in ('pat', 'base_url')})
    answer = every_way('video', video, f'{base}/film.mp4', 'film', look)
    assert [time_ms for time_ms, _ in answer[3]], answer
    assert by_id(app, auth, 'watch', 'video', 'color-recognition', 'film', video) == answer
    print('videos: by bytes, file, URL and id;', len(answer[3]), 'frames')


def main() -> None:
    auth = dict(
        user_id=os.environ['CLARIFAI_USER_ID'],
        pat=os.environ['CLARIFAI_PAT'],
        base_url=os.environ['CLARIFAI_API_BASE'],
    )
    app_id = f'predict-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='General')
    with tempfile.TemporaryDirectory() as folder:
        server = serve(folder)
        try:
            run(app, auth, folder, f'http://127.0.0.1:{server.server_address[1]}')
        finally:
            server.shutdown()
            user.delete_app(app_id)
    print('ok')


if __name__ == '__main__':
    main()
