"""Searches with the official Python SDK and its low-level client, against a running server.

    python -m venv venv && venv/bin/pip install clarifai==12.5.0
    CLARIFAI_API_BASE=http://127.0.0.1:8080 CLARIFAI_USER_ID=admin CLARIFAI_PAT=<token> \
        venv/bin/python conformance/python/search_flows.py

Ends with 0 when every search found what the SDK's own documentation says.
"""

import io
import os
import time
import uuid

from clarifai.client.search import Search
from clarifai.client.user import User
from clarifai.errors import UserError
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf import struct_pb2
from PIL import Image


def picture(red: int, green: int, blue: int) -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (64, 48), (red, green, blue)).save(file, 'JPEG')
    return file.getvalue()


def found(search: Search, **query) -> list:
    """Ids of all hits, in order, of all pages that the SDK asks for."""
    return [hit.input.id for page in search.query(**query) for hit in page.hits]


def main() -> None:
    user_id, base = os.environ['CLARIFAI_USER_ID'], os.environ['CLARIFAI_API_BASE']
    auth = dict(user_id=user_id, pat=os.environ['CLARIFAI_PAT'], base_url=base)
    app_id = f'search-{uuid.uuid4().hex[:8]}'
    user = User(**auth)
    app = user.create_app(app_id=app_id, base_workflow='General')
    try:
        fill(app)
        by_class(app_id, auth)
        by_low_level(app, app_id, user_id)
    finally:
        user.delete_app(app_id)
    print('ok')


def fill(app) -> None:
    app.create_dataset('shelf')
    inputs = app.inputs()
    metadata = struct_pb2.Struct()
    metadata.update({'Breed': 'Saluki', 'nested': {'size': 3}})
    made = [
        inputs.get_input_from_bytes(
            'dog.tiff', image_bytes=picture(200, 30, 30), labels=['dog'], geo_info=[-30.0, 40.0],
            metadata=metadata, dataset_id='shelf',
        ),
        inputs.get_input_from_bytes('deer', image_bytes=picture(30, 200, 30), labels=['deer']),
        inputs.get_input_from_bytes('car', image_bytes=picture(30, 30, 200), labels=['car']),
        inputs.get_text_input('note', raw_text='a red saluki on the beach'),
    ]
    job, response = inputs.upload_inputs(inputs=made)
    assert response.status.code == status_code_pb2.SUCCESS, response.status
    for _ in range(600):
        listed = list(inputs.list_inputs())
        if len(listed) == 4 and all(one.status.code == status_code_pb2.INPUT_DOWNLOAD_SUCCESS for one in listed):
            return
        time.sleep(0.1)
    raise AssertionError('the inputs were not processed in time')


def by_class(app_id: str, auth: dict) -> None:
    search = Search(app_id=app_id, top_k=10, **auth)
    concept = lambda name, value=1: [{'concepts': [{'name': name, 'value': value}]}]
    either = [{'concepts': [{'name': 'deer', 'value': 1}, {'name': 'dog', 'value': 1}]}]
    near = [{'geo_point': {'longitude': -29.0, 'latitude': 40.0, 'geo_limit': 100}}]
    for query, wanted in [
        (dict(filters=concept('deer')), ['deer']),
        (dict(filters=either), ['dog.tiff', 'deer']),
        (dict(filters=concept('deer') + concept('dog')), []),
        (dict(filters=near), ['dog.tiff']),
        (dict(filters=[{'metadata': {'Breed': 'Saluki'}}]), ['dog.tiff']),
        (dict(filters=[{'metadata': {'nested': {'size': 4}}}]), []),
        (dict(filters=[{'input_types': ['text', 'audio', 'video']}]), ['note']),
        (dict(filters=[{'input_types': ['image']}]), ['dog.tiff', 'deer', 'car']),
        (dict(filters=[{'input_dataset_ids': ['shelf']}]), ['dog.tiff']),
        (dict(filters=[{'input_status_code': 30000}]), ['dog.tiff', 'deer', 'car', 'note']),
        (dict(filters=[{'input_types': ['audio'], 'input_status_code': 30000}]), ['dog.tiff', 'deer', 'car', 'note']),
    ]:
        assert found(search, **query) == wanted, (query, found(search, **query))
    hits = [hit for page in search.query(ranks=[{'image_bytes': picture(200, 30, 30)}]) for hit in page.hits]
    assert hits[0].input.id == 'dog.tiff' and hits[0].score > 0.999, hits
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert found(search, ranks=[{'concepts': [{'name': 'car', 'value': 1}]}])[0] == 'car'
    assert found(search, ranks=[{'text_raw': 'saluki beach'}]) == ['note']
    assert found(search, ranks=[{'image_bytes': picture(30, 30, 200)}], filters=concept('deer')) == ['deer']
    for top_k in (1, 2):
        assert len(found(Search(app_id=app_id, top_k=top_k, **auth), ranks=[{'image_bytes': picture(1, 2, 3)}])) == top_k
    cosine = Search(app_id=app_id, top_k=3, metric='cosine', algorithm='brute_force', **auth)
    assert found(cosine, ranks=[{'image_bytes': picture(30, 200, 30)}])[0] == 'deer'
    pages = Search(app_id=app_id, pagination=True, **auth)
    assert len(found(pages, per_page=2, page_no=1)) == 2
    assert len(found(pages)) == 4
    try:
        found(pages, per_page=1000, page_no=11)
    except UserError as error:
        assert 'exceed the limit' in str(error), error
    else:
        raise AssertionError('a page beyond the window was served')


def by_low_level(app, app_id: str, user_id: str) -> None:
    stub, names = app.STUB, dict(user_id=user_id, app_id=app_id)
    scope = resources_pb2.UserAppIDSet(**names)
    dog = resources_pb2.Data(concepts=[resources_pb2.Concept(id='dog', name='dog', value=1)])
    labelled = next(one for one in app.list_concepts() if one.name == 'dog')
    dog.concepts[0].id = labelled.id
    legacy = stub.PostSearches(service_pb2.PostSearchesRequest(
        user_app_id=scope,
        query=resources_pb2.Query(ands=[resources_pb2.And(input=resources_pb2.Input(data=dog))]),
    ))
    assert [hit.input.id for hit in legacy.hits] == ['dog.tiff'], legacy
    saved = resources_pb2.Search(id='dogs', save=True, query=resources_pb2.Query(
        filters=[resources_pb2.Filter(annotation=resources_pb2.Annotation(data=dog))]))
    reply = stub.PostAnnotationsSearches(service_pb2.PostAnnotationsSearchesRequest(user_app_id=scope, searches=[saved]))
    assert reply.status.code == status_code_pb2.SUCCESS and not reply.hits, reply
    by_id = stub.PostSearchesByID(service_pb2.PostSearchesByIDRequest(user_app_id=scope, id='dogs'))
    assert [hit.annotation.input_id for hit in by_id.hits] == ['dog.tiff'], by_id
    listed = stub.ListSearches(service_pb2.ListSearchesRequest(user_app_id=scope))
    assert [one.id for one in listed.searches] == ['dogs'], listed
    missing = stub.PostSearchesByID(service_pb2.PostSearchesByIDRequest(user_app_id=scope, id='no'))
    assert missing.status.code == status_code_pb2.CONN_DOES_NOT_EXIST, missing


if __name__ == '__main__':
    main()
