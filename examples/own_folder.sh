#!/usr/bin/env bash
# From a folder of recordings, one folder per class, to a first comparison of two frontends.
#   bash examples/own_folder.sh /data/sounds [more settings, as model=vgg]
# Minutes on one core; tables, figures and report.html are in results/own_folder afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
sounds=$1
shift
python=${PYTHON:-.venv/bin/python}
settings=(dataset=folder "dataset.root=$sounds" dataset.name=own_folder)
folder=results=results/own_folder

"$python" scripts/verify.py folder "$sounds"
"$python" scripts/run.py -m "${settings[@]}" "$folder" model=timbre frontend=log_eps,log_learn \
    'n_per_class=[1,5]' repeats=2 method.max_epochs=20 method.reestimate_batch_norm=true "$@"
"$python" scripts/report.py "$folder"
