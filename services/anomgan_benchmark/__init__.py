"""`anomgan benchmark`: detectors on the field's labelled data sets, by one protocol.

`suites` finds the series, `detectors` fits and scores, `protocol` measures one detector on one series, `run` does all
of it in worker processes and keeps every result in a file, `summary` and `table` say what came out.
"""
