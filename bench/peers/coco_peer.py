"""pycocotools beside our detection metrics: the same objects, its own CPU time."""

import contextlib
import io
import time

import numpy as np
from lines import serve
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def table(path):
    return np.fromfile(path, dtype=np.float64).reshape(-1, 7)


def evaluate(question):
    truth, found = table(question["truthFile"]), table(question["foundFile"])
    images = int(max(truth[:, 0].max(initial=0), found[:, 0].max(initial=0))) + 1
    data = {
        "images": [{"id": i, "width": 2000, "height": 2000} for i in range(images)],
        "categories": [{"id": c} for c in range(question["classes"])],
        "annotations": [
            {"id": i + 1, "image_id": int(row[0]), "category_id": int(row[1]), "bbox": row[2:6].tolist(),
             "area": row[4] * row[5], "iscrowd": int(row[6])}
            for i, row in enumerate(truth)
        ],
    }
    boxes = [
        {"image_id": int(row[0]), "category_id": int(row[1]), "bbox": row[2:6].tolist(), "score": row[6]}
        for row in found
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = data
        gt.createIndex()
        dt = gt.loadRes(boxes)
        # Its own data structures are not what is compared.
        began = time.process_time()
        run = COCOeval(gt, dt, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
        cpu = time.process_time() - began
    precision = run.eval["precision"][:, :, :, 0, 2]
    by_class = []
    for c in range(question["classes"]):
        values = precision[:, :, c]
        by_class.append(-1 if values.max(initial=-1) < 0 else float(values.mean()))
    return {"cpuMs": cpu * 1000, "summary": [float(v) for v in run.stats], "byClass": by_class}


serve(evaluate)
