"""`make bench-scaling`: replicas from none to six and back, by a real KEDA, a real API server and a real Kafka.

Nothing here decides how many replicas there are: the manifests that are shipped do, by way of KEDA and the horizontal
pod autoscaler. `kubelet` stands in for nodes: it turns each pod into a process, `worker`, which is the service's own
replica with a separator (`separator`) that takes a song's time and no processor. `loop` sends a burst and watches,
`__main__` puts the table together.
"""
