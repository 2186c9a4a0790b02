// A GPU is one, and a test may take most of its memory.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
