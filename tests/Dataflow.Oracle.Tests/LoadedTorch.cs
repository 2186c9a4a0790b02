using System.Runtime.CompilerServices;

// The emulated driver is one for the process, as are the threads that libtorch computes with.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Dataflow.Oracle.Tests;

internal static class LoadedTorch
{
    // Called by the runtime before anything else. One thread: results are the same on every machine with such a processor.
    [ModuleInitializer]
    internal static void Load() => TorchLibrary.Load(threads: 1);
}
