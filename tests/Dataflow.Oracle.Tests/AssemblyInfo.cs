// The emulated driver is one for the process, as are the threads that libtorch computes with.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
