"""faiss beside our vector engine: the same vectors, one thread, its own CPU time."""

import time

import faiss
import numpy as np
from lines import serve

faiss.omp_set_num_threads(1)
state = {}


def rows_of(file, dims, rows=None):
    data = np.fromfile(file, dtype=np.float32).reshape(-1, dims)
    return data if rows is None else data[:rows]


def build(question):
    data = rows_of(question["file"], question["dims"], question["rows"])
    index = faiss.IndexHNSWFlat(question["dims"], question["m"], faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = question["efConstruction"]
    began = time.process_time()
    index.add(data)
    state["index"] = index
    return {"cpuMs": (time.process_time() - began) * 1000}


def selected(question, count):
    """Only these rows are to be found; their keys come as float64 in a file."""
    bits = np.zeros(count, dtype=bool)
    bits[(np.fromfile(question["candidatesFile"]) - question["firstKey"]).astype(np.int64)] = True
    packed = np.packbits(bits, bitorder="little")
    return packed, faiss.IDSelectorBitmap(packed)


def search(question):
    queries = rows_of(question["queryFile"], question["dims"])
    index = state["index"]
    options = faiss.SearchParametersHNSW(efSearch=question["ef"])
    if "candidatesFile" in question:
        # The bits have to live as long as the selector looks at them.
        bits, selector = selected(question, index.ntotal)
        options = faiss.SearchParametersHNSW(efSearch=question["ef"], sel=selector)
    repeats = question["repeats"]
    began = time.process_time()
    for _ in range(repeats):
        _, found = index.search(queries, question["k"], params=options)
    cpu = time.process_time() - began
    return {"cpuMsEach": cpu * 1000 / (repeats * len(queries)), "rows": found.tolist()}


def product(question):
    data = rows_of(question["file"], question["dims"])
    queries = rows_of(question["queryFile"], question["dims"])
    repeats = question["repeats"]
    began = time.process_time()
    for _ in range(repeats):
        for query in queries:
            data @ query
    cpu = time.process_time() - began
    return {"cpuMsEach": cpu * 1000 / (repeats * len(queries))}


kinds = {"build": build, "search": search, "product": product}
serve(lambda question: kinds[question["kind"]](question))
