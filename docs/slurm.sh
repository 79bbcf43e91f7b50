#!/bin/bash
#SBATCH --job-name=arjax
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8       # one process for each GPU
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300         # five minutes before the end every process is told to save and stop
#SBATCH --requeue
#SBATCH --open-mode=append

# Submit from the root of the repository, on a file system that all nodes see:  sbatch docs/slurm.sh CONFIG [flags]
srun --kill-on-bad-exit=0 .venv/bin/python train.py "$@" --hosts.join
status=$?

# Stopped by the signal, or a process was lost: the same job once more, which continues. Not when the command is wrong (2).
case $status in
    0 | 2) exit $status ;;
    *) scontrol requeue "$SLURM_JOB_ID" ;;
esac
