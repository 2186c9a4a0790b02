// The emulated driver is one for the process: its seed, its options and the error that a planted fault leaves in it.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
