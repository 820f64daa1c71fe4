"""More replicas than partitions: the ones without stand by."""

from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for


def has_partitions(replica: ReplicaProcess) -> bool:
    assigned = replica.said("partitions.assigned")
    return bool(assigned and assigned[-1]["partitions"])


def test_a_replica_without_partitions_is_ready(one_partition: Platform) -> None:
    """Of two replicas and one partition both become ready, in either protocol; the one without partitions says so."""
    for protocol in ("consumer", "classic"):
        group = f"{one_partition.environment['KAFKA_GROUP_ID']}-{protocol}"
        pair = [
            one_partition.start_replica(
                KAFKA_GROUP_PROTOCOL=protocol, KAFKA_GROUP_ID=group, INSTANCE_ID=f"{protocol}-{number}"
            )
            for number in range(2)
        ]
        for replica in pair:
            replica.wait_ready()
        wait_for(lambda pair=pair: sorted(map(has_partitions, pair)) == [False, True])
        [idle] = [replica for replica in pair if not has_partitions(replica)]
        wait_for(lambda idle=idle: idle.said("partitions.none"))
        for replica in pair:
            replica.process.kill()
            replica.process.wait(180)
