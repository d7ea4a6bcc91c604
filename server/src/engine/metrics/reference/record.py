"""Records what scikit-learn, pycocotools and motmetrics answer for the cases of cases.ts, as answers.json.

    python -m venv venv && venv/bin/pip install numpy scikit-learn pycocotools motmetrics
    venv/bin/python record.py

The cases are drawn here just as in cases.ts: change both, or neither.
"""

import contextlib
import io
import json
import math
import os
import warnings

import motmetrics
import numpy as np
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn import metrics

warnings.filterwarnings("ignore")
# motmetrics 1.4 still asks for what numpy 2 took away.
np.asfarray = lambda values: np.asarray(values, dtype=float)
M = 0xFFFFFFFF


def draws_from(seed):
    state = seed & M

    def draw():
        nonlocal state
        state = (state + 0x6D2B79F5) & M
        mixed = ((state ^ (state >> 15)) * (state | 1)) & M
        mixed = ((mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & M)) & M) ^ mixed
        return ((mixed ^ (mixed >> 14)) & M) / 4294967296

    return draw


def floor(value):
    return math.floor(value)


def classification(seed):
    draw = draws_from(seed)
    rows = 1 + floor(draw() * 60)
    classes = 1 + floor(draw() * 5)
    coarse = seed % 5 == 0
    share = draw()
    scores, truth = [], []
    for _ in range(rows * classes):
        score = draw()
        scores.append(floor(score * 11) / 10 if coarse else score)
        truth.append(1 if draw() < share else 0)
    scores = np.array(scores, dtype=np.float32).reshape(rows, classes)
    truth = np.array(truth).reshape(rows, classes)
    said = scores >= np.float32(0.5)
    per_class = []
    for c in range(classes):
        y, s, d = truth[:, c], scores[:, c].astype(np.float64), said[:, c].astype(int)
        both = 0 < y.sum() < rows
        per_class.append(
            [
                metrics.roc_auc_score(y, s) if both else 0,
                metrics.average_precision_score(y, s) if y.sum() else 0,
                metrics.precision_score(y, d, zero_division=0),
                metrics.recall_score(y, d, zero_division=0),
                metrics.f1_score(y, d, zero_division=0),
            ]
        )
    table = np.array(per_class)
    present = truth.sum(axis=0) > 0
    ranked = present & (truth.sum(axis=0) < rows)
    mean = lambda values: float(values.mean()) if len(values) else 0
    std = lambda values: float(values.std()) if len(values) else 0
    summary = [
        mean(table[ranked, 0]),
        std(table[ranked, 0]),
        mean(table[present, 4]),
        std(table[present, 4]),
        mean(table[present, 2]),
        mean(table[present, 3]),
    ]
    return {"perClass": per_class, "summary": summary}


def evaluate(truth, found, categories, images, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = {
            "images": [{"id": i, "width": 640, "height": 640} for i in range(images)],
            "categories": [{"id": c} for c in range(categories)],
            "annotations": truth,
        }
        gt.createIndex()
        dt = gt.loadRes(found) if found else COCO()
        if not found:
            dt.dataset = {"images": gt.dataset["images"], "categories": gt.dataset["categories"], "annotations": []}
            dt.createIndex()
        run = COCOeval(gt, dt, kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"]
    per_class = []
    for c in range(categories):
        for area in range(4):
            values = precision[:, :, c, area, 2]
            empty = values.max(initial=-1) < 0
            per_class.append(-1 if empty else float(values.mean()))
    return {"summary": [float(v) for v in run.stats], "perClass": per_class}


def detection(seed):
    draw = draws_from(seed)
    images = 1 + floor(draw() * 5)
    classes = 1 + floor(draw() * 3)
    true_count = 0 if seed % 17 == 0 else floor(draw() * 30)
    found_count = 0 if seed % 13 == 0 else floor(draw() * (400 if seed % 7 == 0 else 50))
    rows, truth, found = [], [], []
    for i in range(true_count):
        image = floor(draw() * images)
        own = floor(draw() * classes)
        left, top = floor(draw() * 400), floor(draw() * 400)
        width, height = 1 + floor(draw() * 150), 1 + floor(draw() * 150)
        rows.append([image, own, left, top, width, height])
        crowd = 1 if draw() < 0.1 else 0
        truth.append(
            {"id": i + 1, "image_id": image, "category_id": own, "bbox": [left, top, width, height],
             "area": width * height, "iscrowd": crowd}
        )
    for _ in range(found_count):
        near = rows[floor(draw() * true_count)] if draw() < 0.7 and true_count > 0 else None
        jitter = lambda: floor(draw() * 21) - 10
        if near:
            image, own, left, top, width, height = near
            box = [left + jitter(), top + jitter(), max(1, width + jitter()), max(1, height + jitter())]
        else:
            image = floor(draw() * images)
            own = floor(draw() * classes)
            left, top = floor(draw() * 400), floor(draw() * 400)
            box = [left, top, 1 + floor(draw() * 150), 1 + floor(draw() * 150)]
        score = draw()
        score = floor(score * 10) / 10 if seed % 5 == 0 else score
        found.append({"image_id": image, "category_id": own, "bbox": box, "score": score})
    return evaluate(truth, found, classes, images, "bbox")


SIDE = 40


def masks(seed):
    draw = draws_from(seed)
    images = 1 + floor(draw() * 3)

    def make(count):
        made = []
        for i in range(count):
            image = floor(draw() * images)
            x0, y0 = draw() * SIDE, draw() * SIDE
            rx, ry = 2 + draw() * 15, 2 + draw() * 15
            pixels = np.zeros((SIDE, SIDE), dtype=np.uint8)
            for y in range(SIDE):
                for x in range(SIDE):
                    if ((x - x0) / rx) * ((x - x0) / rx) + ((y - y0) / ry) * ((y - y0) / ry) <= 1:
                        pixels[y, x] = 1
            runs = mask_api.encode(np.asfortranarray(pixels))
            made.append(
                {"id": i + 1, "image_id": image, "category_id": 0, "segmentation": runs, "iscrowd": 0,
                 "area": int(pixels.sum()), "score": draw()}
            )
        return made

    truth = make(1 + floor(draw() * 8))
    found = make(floor(draw() * 20))
    return evaluate(truth, found, 1, images, "segm")


def clustering(seed):
    draw = draws_from(seed)
    rows = 1 + floor(draw() * 80)
    classes = 1 + floor(draw() * 6)
    clusters = 1 + floor(draw() * (80 if seed % 3 == 0 else 6))
    faithful = draw()
    truth = [floor(draw() * classes) for _ in range(rows)]
    found = [own if draw() < faithful else floor(draw() * clusters) for own in truth]
    table = metrics.cluster.contingency_matrix(truth, found)
    return [
        float(table.max(axis=0).sum() / rows),
        *(float(v) for v in metrics.homogeneity_completeness_v_measure(truth, found)),
        float(metrics.normalized_mutual_info_score(truth, found)),
        float(metrics.adjusted_rand_score(truth, found)),
        float(metrics.fowlkes_mallows_score(truth, found)),
    ]


def tracking(seed):
    draw = draws_from(seed)
    frames = 1 + floor(draw() * 20)
    objects = floor(draw() * 6)
    places = [[draw() * 200, draw() * 200] for _ in range(objects)]
    tracks = [i + 100 for i in range(objects)]
    following = 500
    log = motmetrics.MOTAccumulator(auto_id=True)
    for _ in range(frames):
        truth, found = [], []
        if objects > 1 and draw() < 0.2:
            one, other = floor(draw() * objects), floor(draw() * objects)
            tracks[one], tracks[other] = tracks[other], tracks[one]
        for i, place in enumerate(places):
            place[0] += (draw() - 0.5) * 10
            place[1] += (draw() - 0.5) * 10
            there = draw() < 0.9
            seen = draw() < 0.8
            if draw() < 0.1:
                tracks[i] = following
                following += 1
            dx, dy = (draw() - 0.5) * 14, (draw() - 0.5) * 14
            if there:
                truth.append([i, place[0], place[1], 30, 40])
            if seen:
                found.append([tracks[i], place[0] + dx, place[1] + dy, 30, 40])
        if draw() < 0.3:
            found.append([following, draw() * 200, draw() * 200, 30, 40])
            following += 1
        boxes = lambda list_: np.array([row[1:] for row in list_], dtype=float).reshape(-1, 4)
        distances = motmetrics.distances.iou_matrix(boxes(truth), boxes(found), max_iou=0.5)
        log.update([row[0] for row in truth], [row[0] for row in found], distances)
    names = ["mota", "motp", "num_switches", "num_misses", "num_false_positives", "num_matches", "num_objects",
             "num_predictions", "idf1", "idp", "idr", "num_fragmentations"]
    table = motmetrics.metrics.create().compute(log, metrics=names, name="all")
    values = [float(table[name].iloc[0]) for name in names]
    return [None if not math.isfinite(value) else value for value in values]


def main():
    kinds = {
        "classification": (classification, 300),
        "detection": (detection, 240),
        "masks": (masks, 60),
        "clustering": (clustering, 300),
        "tracking": (tracking, 150),
    }
    answers = {name: [run(seed) for seed in range(1, count + 1)] for name, (run, count) in kinds.items()}
    round_ = lambda v: (
        {k: round_(w) for k, w in v.items()} if isinstance(v, dict)
        else [round_(w) for w in v] if isinstance(v, list)
        else v if v is None else round(float(v), 12)
    )
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "answers.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(round_(answers), file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
