"""Whole-process benchmark of datatool beside DVC; `scripts/bench` runs it.

`measuring` runs one command and keeps what it cost. `tools` is how each tool is called, `projects` a fresh project of
one of them. `local` and `network` are the workloads, `remotes` the servers that the latter need; `stages` measures
chains of functions, which `stage_programs` writes as each tool has them. `targets` is what is to be reached, `report`
and `stage_report` the tables, `machine` what the machine itself can do.
"""
