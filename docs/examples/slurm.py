"""Start workers on SLURM, one for each GPU, and keep them until Enter is pressed."""

from dask_jobqueue import SLURMCluster


def cluster_of_gpus() -> SLURMCluster:
    """Describe one job: one worker with one thread, one GPU and four cores."""
    return SLURMCluster(
        queue="gpu",
        account="imaging",
        walltime="08:00:00",
        cores=1,  # threads of the worker: one task at a time
        processes=1,
        job_cpu=4,
        memory="32GB",
        job_extra_directives=["--gres=gpu:1"],
        job_script_prologue=["export OMP_NUM_THREADS=4"],
    )


if __name__ == "__main__":
    with cluster_of_gpus() as cluster:
        cluster.scale(jobs=4)
        print(cluster.job_script())
        input(f"--scheduler {cluster.scheduler_address}   (Enter ends the workers) ")
